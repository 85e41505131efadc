"""The files of a command line: each is taken once, and what is left out is known."""

import os
import re

import pytest
from PIL import Image

from stnkit.errors import InputError
from stnkit.experiments.rectification.inputs import find_inputs, left_out


@pytest.fixture
def folder(tmp_path):
    """A folder with an image in it."""
    (tmp_path / "images").mkdir()
    Image.new("L", (5, 4)).save(tmp_path / "images" / "a.png")
    return tmp_path / "images"


def found_in(*paths):
    return find_inputs(paths, paths[0].parent.parent / "out")


def test_a_file_that_is_named_twice_is_taken_once(folder, monkeypatch):
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.chdir(folder.parent)
    relative = (folder / "a.png").relative_to(folder.parent)
    named = [relative, folder / "a.png", folder.parent / "link" / "a.png", folder]
    assert [each.path for each in find_inputs(named, folder.parent / "out").files] == [relative]


def test_two_files_of_one_name_are_not_one(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes((folder / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"^expected one file for each name of a result"):
        found_in(folder, tmp_path / "other" / "a.png")


def test_files_that_are_left_out_are_known(folder):
    Image.new("RGB", (8, 8)).save(folder / "b.MPO", format="JPEG")
    for name in ("c.heic", "scan001", ".DS_Store", "more/notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    (folder / "gone.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "pipe.png")
    found = found_in(folder, folder)
    assert [each.name for each in found.files] == ["a.png", "b.MPO"]
    names = [path.relative_to(folder).as_posix() for path in found.others]
    assert names == ["c.heic", "gone.png", "pipe.png", "scan001", "more/notes.txt"]
    assert left_out(found.others) == f"left out 5 other files, such as {folder}/c.heic"


def test_a_folder_of_other_files_tells_of_them(folder):
    (folder / "a.png").rename(folder / "a.heic")
    message = f"got the folder {folder} without any: left out 1 other file, such as {folder}/a.heic"
    with pytest.raises(InputError, match=f"{re.escape(message)}$"):
        found_in(folder)


def test_an_image_beyond_the_limit_is_an_input(folder, monkeypatch):
    (folder / "a.png").rename(folder / "scan001")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    assert [each.name for each in found_in(folder / "scan001").files] == ["scan001"]
