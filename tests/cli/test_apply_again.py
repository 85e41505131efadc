"""`stnkit apply`: broken files, mistakes, interruptions, and the same command once more."""

import json
import re
import shutil
import signal

import numpy as np
import pytest
from PIL import Image

from stnkit.experiments.rectification.journal import Journal
from tests.cli.applied import pixels_of, rows_of, smooth


def test_broken_files_are_rows_and_the_exit_code_is_1(applied, files, tmp_path):
    (files / "99.png").write_bytes(b"no image")
    (files / "98.png").write_bytes((files / "01.png").read_bytes()[:300])
    code, out, err = applied(files, "--output", "out")
    assert code == 1
    assert out.startswith("20 files rectified, 2 failed\n")
    assert "stnkit apply: 99.png: Pillow finds no image in it\n" in err
    errors = {row["file"]: row["error"] for row in rows_of(tmp_path / "out") if row["error"]}
    assert errors.keys() == {"98.png", "99.png"}
    assert not (tmp_path / "out" / "98.png").exists()


def test_the_reason_of_a_row_does_not_name_its_file_again(applied, tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 20, 20), np.nan, np.float32))
    (tmp_path / "b.npy").write_bytes(b"no array")
    code, _, err = applied("a.npy", "b.npy", "--output", "out")
    assert code == 1
    assert err.splitlines()[0] == "stnkit apply: a.npy: expected finite images, got NaN or infinity in image 0"
    assert err.count("b.npy") == 1
    assert [row["error"].count(".npy") for row in rows_of(tmp_path / "out")] == [0, 0]


def test_the_same_command_makes_only_what_is_missing(applied, files, tmp_path):
    (files / "99.png").write_bytes(b"no image")
    assert applied(files, "--output", "out")[0] == 1
    first = (tmp_path / "out" / "01.png").stat().st_mtime_ns
    (tmp_path / "out" / "02.png").unlink()
    Image.fromarray(smooth(40, 40)).save(files / "99.png")
    Image.fromarray(smooth(44, 44)).save(files / "03.png")
    code, out, _ = applied(files, "--output", "out")
    assert (code, out.splitlines()[0]) == (0, "21 files rectified, 18 of them before, 0 failed")
    assert (tmp_path / "out" / "01.png").stat().st_mtime_ns == first
    assert pixels_of(tmp_path / "out" / "03.png").shape == (44, 44)
    assert len(rows_of(tmp_path / "out")) == 21


def test_files_that_are_gone_are_not_counted(applied, files, tmp_path):
    for i in range(4):
        (files / f"9{i}.png").write_bytes(b"no image")
    code, out, _ = applied(files, "--output", "out")
    assert (code, out.splitlines()[0]) == (1, "20 files rectified, 4 failed")
    for path in files.glob("9?.png"):
        path.unlink()
    code, out, err = applied(files, "--output", "out")
    assert (code, out.splitlines()[0], err) == (0, "20 files rectified, 20 of them before, 0 failed", "")


def test_a_line_that_was_cut_short_is_made_again(applied, files, tmp_path):
    assert applied(files, "--output", "out")[0] == 0
    journal = tmp_path / "out" / ".stnkit-apply.jsonl"
    journal.write_text(journal.read_text()[:-30])
    assert applied(files, "--output", "out")[1].startswith("20 files rectified, 19 of them before")
    assert applied(files, "--output", "out")[1].startswith("20 files rectified, 20 of them before")


def test_other_options_need_another_folder_or_overwrite(applied, files, tmp_path):
    assert applied(files, "--output", "out")[0] == 0
    before = (tmp_path / "out" / "theta.csv").read_bytes()
    code, _, err = applied(files, "--output", "out", "--scale", "2")
    assert code == 2
    assert "output: out has results with scale=None, got scale=2.0: choose another folder, or --overwrite" in err
    assert (tmp_path / "out" / "theta.csv").read_bytes() == before
    assert applied(files, "--output", "out", "--scale", "2", "--overwrite")[0] == 0
    assert rows_of(tmp_path / "out")[0]["out_size"] == [74, 174]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--output", "out"], "got nowhere, which is none"),
        (
            ["notes.txt", "--output", "out"],
            "expected an image or an array (.npy), got notes.txt, in which Pillow finds",
        ),
        (["empty", "--output", "out"], "got the folder empty without any"),
        (["photos", "--output", "photos"], "expected a folder apart from the input photos, got photos, the same"),
        (["photos", "--output", "photos/out"], "got photos/out, inside of it"),
        (["photos/more", "--output", "photos"], "got photos, around it"),
        (["photos/01.png", "--output", "photos"], "got photos, the same"),
        (["photos", "--output", "empty/../notes.txt"], "expected a folder, got empty/../notes.txt, a file"),
        (["photos", "--output", "full"], "expected an empty or a new folder, got full; --overwrite writes there"),
        (["photos/01.png", "other/01.png", "--output", "out"], "expected one file for each name of a result"),
        (["photos", "--output", "out", "--sampler", "linear"], "there is no sampler 'linear'"),
        (["photos", "--output", "out", "--padding", "black"], "padding: expected one of zeros, border"),
        (["photos", "--output", "out", "--size", "0", "5"], "size: expected H W, each from 1 to 65535, got 0 5"),
        (["photos", "--output", "out", "--size", "9", "x"], "--size: expected a whole number, got 'x'"),
        (["photos", "--output", "out", "--scale", "-1"], "scale: expected a number above 0, got -1"),
        (["photos", "--output", "out", "--scale", "nan"], "scale: expected a number above 0, got nan"),
        (["photos", "--output", "out", "--scale", "1e9"], "scale: expected at most 65535, got 1e+09"),
        (["photos", "--output", "out", "--workers", "0"], "--workers: expected at least 1, got '0'"),
        (["photos"], "the following arguments are required: --output"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(arguments, message, applied, files, tmp_path):
    for name in ("empty", "full", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "other" / "01.png").write_bytes((files / "01.png").read_bytes())
    before = sorted(tmp_path.rglob("*"))
    code, out, err = applied(*arguments)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("stnkit apply: ")
    assert message in line
    assert sorted(tmp_path.rglob("*")) == before


def test_ctrl_c_leaves_what_is_done_and_the_command_goes_on(applied, files, tmp_path, monkeypatch):
    add, calls = Journal.add, []

    def interrupted(self, given, rows):
        add(self, given, rows)
        calls.append(given)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Journal, "add", interrupted)
    code, _, err = applied(files, "--output", "out")
    assert code == 130
    assert re.fullmatch(r"stnkit apply: interrupted after [45] of 20 files; the same command goes on\n", err)
    assert len(rows_of(tmp_path / "out")) == 5
    assert not list((tmp_path / "out").rglob("*.part"))
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert applied(files, "--output", "out")[1].startswith("20 files rectified, 5 of them before")


def test_a_run_that_has_moved_goes_on_and_another_does_not(copy_of_quick_run, files, stnkit_main, tmp_path):
    first = stnkit_main("apply", copy_of_quick_run, files / "01.png", "--output", "out")
    moved = shutil.copytree(copy_of_quick_run, tmp_path / "moved")
    code, _, err = stnkit_main("apply", moved, files, "--output", "out")
    assert (first[0], code, err) == (0, 0, "")
    told = json.loads((tmp_path / "out" / "theta.json").read_text())
    assert told["run"] == str(moved.resolve())
    for path in (moved / "checkpoints").iterdir():
        path.write_bytes(path.read_bytes() + b"\0")
    code, _, err = stnkit_main("apply", moved, files, "--output", "out")
    assert code == 2
    assert f"out has results with run={copy_of_quick_run.resolve()}, weights=" in err
