import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stnkit.errors import DataError
from stnkit.packing.chunk import Target
from stnkit.packing.decoding import Decoding
from stnkit.packing.processes import outcomes_of_processes
from tests.packing.pictures import pixels_of, write_image

pytestmark = pytest.mark.process
N, CHUNK = 60, 4


@pytest.fixture
def target(tmp_path):
    for i in range(N):
        write_image(tmp_path, f"{i}.png")
    (tmp_path / "file").write_bytes(b"\xff" * N * 3 * 6 * 8)
    return Target(str(tmp_path), str(tmp_path / "file"), (3, 6, 8), Decoding())


def chunks(n=N):
    return ((first, [f"{i}.png" for i in range(first, first + CHUNK)]) for first in range(0, n, CHUNK))


def children():
    """The processes that this one has started and that run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            found += [int(folder.name)] if int(parent) == os.getpid() and state != "Z" else []
        except OSError:
            continue
    return set(found)


def test_every_chunk_is_decoded_once_in_any_order(target):
    before = children()
    outcomes = list(outcomes_of_processes(target, chunks(), 3))
    assert sorted(outcome.first for outcome in outcomes) == list(range(0, N, CHUNK))
    assert sum(outcome.n_images for outcome in outcomes) == N
    found = np.fromfile(target.file, np.uint8).reshape(N, 3, 6, 8)
    assert all(np.array_equal(found[i], pixels_of(f"{i}.png").transpose(2, 0, 1)) for i in range(N))
    assert children() == before


def test_broken_odd_and_surrogate_names_come_back(target):
    root = Path(target.root)
    (root / "0.png").write_text("a text")
    no_unicode = os.fsdecode(b"\xff.png")
    (root / "1.png").rename(root / no_unicode)
    write_image(root, "2.png", 7, 8)
    names = ["0.png", no_unicode, "2.png"]
    (outcome,) = outcomes_of_processes(target, iter([(0, names)]), 1)
    assert outcome.broken == [(0, "Pillow finds no image in it")]
    assert outcome.odd == (2, [3, 7, 8])


def test_processes_end_when_nobody_wants_more(target):
    before = children()
    outcomes = outcomes_of_processes(target, itertools.cycle(chunks()), 2)
    next(outcomes)
    assert len(children() - before) == 2
    outcomes.close()
    assert children() == before


def test_a_process_that_dies_is_one_sentence(target):
    before = children()
    outcomes = outcomes_of_processes(target, itertools.cycle(chunks()), 2)
    next(outcomes)
    os.kill((children() - before).pop(), signal.SIGKILL)
    with pytest.raises(DataError, match=r"has ended with exit code -9; .*png and the 3 files behind it may be damaged"):
        list(outcomes)
    assert children() == before


def test_a_limit_of_the_file_size_comes_back_as_an_error(target):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30 * 3 * 6 * 8, hard))
    try:
        outcomes = list(outcomes_of_processes(target, chunks(), 1))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {outcome.first: outcome.error[1] for outcome in outcomes if outcome.error} == dict.fromkeys(
        range(28, N, CHUNK), "File too large"
    )


def test_no_interpreter_is_one_sentence(target, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(DataError, match=r"no process can be started to decode images .*: set dataset.workers=1"):
        list(outcomes_of_processes(target, chunks(), 2))


PARENT = """
import itertools, sys, time
from stnkit.packing.chunk import Target
from stnkit.packing.decoding import Decoding
from stnkit.packing.processes import outcomes_of_processes
target = Target(sys.argv[1], sys.argv[1] + "/file", (3, 6, 8), Decoding())
for outcome in outcomes_of_processes(target, itertools.repeat((0, ["0.png", "1.png"])), 2):
    print("one", flush=True)
"""


def test_processes_do_not_outlive_a_killed_parent(target):
    mark = f"STNKIT_MARK=orphans-{os.getpid()}"
    environment = os.environ | dict([mark.split("=")])
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, target.root], env=environment, stdout=subprocess.PIPE
    ) as parent:
        parent.stdout.readline()
        assert len(marked(mark)) == 3
        parent.kill()
    end = time.monotonic() + 20
    while marked(mark):
        assert time.monotonic() < end
        time.sleep(0.02)


def marked(mark):
    """The running processes whose environment has the mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                found += [folder.name] if state != "Z" else []
        except OSError:
            continue
    return found


def test_a_decoding_process_imports_no_torch():
    code = "import sys, stnkit.packing.worker; assert not {'torch', 'jaxtyping', 'rich', 'hydra'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
