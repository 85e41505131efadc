import json
import os
import stat
import threading

import numpy as np
import pytest

from stnkit.files.atomic import whole_file, write_atomically
from stnkit.interop import itk


@pytest.fixture(params=[0o022, 0o027, 0o077, 0o002], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def in_context(path):
    with whole_file(path) as part:
        part.write_text("whole")


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_atomically(path, "text"),
        lambda path: write_atomically(path, b"bytes"),
        in_context,
        lambda path: itk.write(path, itk.Transform("TranslationTransform", 2, np.ones(2), np.array([]))),
    ],
    ids=["text", "bytes", "context", "itk"],
)
def test_a_file_has_the_rights_that_the_process_gives(write, umask, tmp_path):
    write(tmp_path / "a.tfm")
    assert stat.S_IMODE((tmp_path / "a.tfm").stat().st_mode) == 0o666 & ~umask
    assert [path.name for path in tmp_path.iterdir()] == ["a.tfm"]


def test_an_error_in_the_context_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted():
        with whole_file(path) as part:
            part.write_text("new")
            raise ArithmeticError("no")

    with pytest.raises(ArithmeticError, match="no"):
        interrupted()
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "metrics.json"
    write_atomically(path, json.dumps({"n": 0, "ballast": "x" * 100_000}))
    done = threading.Event()
    seen = []

    def read():
        while not done.is_set():
            seen.append(json.loads(path.read_text())["n"])

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(1, 60):
        write_atomically(path, json.dumps({"n": n, "ballast": "x" * 100_000}))
    done.set()
    reader.join()
    assert seen == sorted(seen)
    assert len(seen) > 1


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    write_atomically(path, "old")
    monkeypatch.setattr("os.fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]
