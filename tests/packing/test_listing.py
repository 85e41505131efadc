import os
import shutil
import socket

import pytest

from stnkit.errors import DataError
from stnkit.packing.layout import find_layout
from stnkit.packing.listing import endings, list_files
from tests.packing.pictures import write_image, write_splits, write_tree

SPLIT = [0.5, 0.25, 0.25]


def listed(root, split=None):
    return list_files(find_layout(root, split))


def names_in(root, split=None):
    return [name for names in listed(root, split).names() for name in names]


def test_images_are_listed_by_class_folder_and_name(tmp_path):
    for name in ("b c/1.png", "b/10.JPG", "b/2.png", "b/inner/1.png", "a/x.tiff", "b/y.png"):
        write_image(tmp_path, name)
    assert names_in(tmp_path, SPLIT) == ["a/x.tiff", "b/10.JPG", "b/2.png", "b/inner/1.png", "b/y.png", "b c/1.png"]


def test_hidden_and_other_files_are_counted(tmp_path):
    root = write_tree(tmp_path, 2)
    for name in (".DS_Store", "cat/.hidden.png", "cat/notes.txt", "cat/noending", "LICENSE", "picture.png"):
        (root / name).write_text("no image")
    listing = listed(root, SPLIT)
    assert len(listing) == 4
    assert listing.hidden == 2
    assert sorted(listing.others) == ["LICENSE", "cat/noending", "cat/notes.txt", "picture.png"]
    assert listing.ignored().startswith("2 hidden and 4 others such as ")
    shutil.rmtree(root / "dog")
    (root / "dog").mkdir()
    assert listed(write_tree(tmp_path / "clean", 1), SPLIT).ignored() == ""


def test_formats_that_pillow_only_recognizes_are_no_images():
    assert {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".jp2", ".mpo"} <= endings()
    assert not {".pdf", ".mpg", ".h5", ".grib", ".txt", ".npy", ""} & endings()


def test_links_are_followed_and_cycles_end(tmp_path):
    root = write_tree(tmp_path / "root", 1)
    write_image(tmp_path, "elsewhere/far.png")
    (root / "cat" / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "cat" / "cycle").symlink_to(root / "cat")
    (root / "dog" / "nowhere.png").symlink_to(tmp_path / "nothing.png")
    assert names_in(root, SPLIT) == ["cat/0.png", "cat/linked/far.png", "dog/0.png", "dog/nowhere.png"]


def test_a_folder_without_images_is_one_sentence(tmp_path):
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
    with pytest.raises(DataError, match="expected images, got class folders without any"):
        listed(tmp_path, SPLIT)
    (tmp_path / "cat" / "notes.txt").touch()
    with pytest.raises(DataError, match=r"got 1 other such as cat/notes.txt in class folders without any"):
        listed(tmp_path, SPLIT)


def key_of(root, split=None, options=None):
    return listed(root, split).key(options or {})


def test_the_key_follows_the_files_and_not_the_place(tmp_path):
    root = write_splits(tmp_path / "here")
    key = key_of(root)
    moved = shutil.copytree(root, tmp_path / "there", copy_function=shutil.copy2)
    assert key_of(moved) == key
    assert key_of(root, options={"size": 3}) != key


@pytest.mark.parametrize("change", ["time", "size", "name", "new", "gone", "class", "content"])
def test_every_change_of_the_files_is_another_key(change, tmp_path):
    root = write_splits(tmp_path)
    before, path = key_of(root), root / "test" / "dog" / "1.png"
    state = path.stat()
    if change == "time":
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    elif change == "size":
        path.write_bytes(path.read_bytes() + b"\0")
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    elif change == "name":
        path.rename(path.with_name("9.png"))
    elif change == "new":
        shutil.copy2(path, path.with_name("9.png"))
    elif change == "gone":
        path.unlink()
    elif change == "class":
        (root / "train" / "ant").mkdir()
    else:  # of the same size and time, as two data sets of raw images may have them
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert key_of(root) != before


def test_links_to_themselves_are_other_files(tmp_path):
    root = write_tree(tmp_path, 1)
    for name in ("loop", "cat/loop", "cat/loop.png", "dog/loop.txt"):
        (root / name).symlink_to((root / name).name)
    listing = listed(root, SPLIT)
    assert len(listing) == 2
    assert sorted(listing.others) == ["cat/loop", "cat/loop.png", "dog/loop.txt", "loop"]


def test_pipes_sockets_and_devices_are_other_files(tmp_path, monkeypatch):
    root = write_tree(tmp_path, 1)
    os.mkfifo(root / "cat" / "pipe.png")
    (root / "cat" / "linked.png").symlink_to("pipe.png")
    (root / "dog" / "device.png").symlink_to("/dev/zero")
    monkeypatch.chdir(root)  # the path of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("dog/socket.png")
        listing = listed(root, SPLIT)
    assert len(listing) == 2
    assert sorted(listing.others) == ["cat/linked.png", "cat/pipe.png", "dog/device.png", "dog/socket.png"]
