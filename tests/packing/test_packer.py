import errno
import logging
import os
import shutil

import numpy as np
import pytest

from stnkit.errors import DataError
from stnkit.packing import Decoding, ImageFolder, find_layout, packer
from stnkit.packing.index import IMAGES, read_index
from tests.packing.pictures import expected_images, write_image, write_splits, write_tree

TRAIN = [f"train/{label}/{i}.png" for label in ("cat", "dog") for i in range(3)]


def image_folder(root, cache, decoding=None, split=None, **options):
    return ImageFolder(find_layout(root, split), decoding or Decoding(), cache, **options)


@pytest.fixture
def root(tmp_path):
    return write_splits(tmp_path / "images")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def test_packed_images_are_those_of_the_files(root, cache):
    images, labels = image_folder(root, cache).split("train")
    assert np.array_equal(images.numpy(), expected_images(TRAIN))
    assert labels.tolist() == [0, 0, 0, 1, 1, 1]
    for split in ("validation", "test"):
        names = [name.replace("train", split) for name in TRAIN]
        assert np.array_equal(image_folder(root, cache).split(split)[0].numpy(), expected_images(names))
    (pack,) = cache.iterdir()
    assert (pack / IMAGES).stat().st_size == 18 * 3 * 6 * 8


@pytest.mark.process
def test_processes_pack_the_same_bytes_as_this_one(tmp_path, monkeypatch):
    monkeypatch.setattr(packer, "_FEW", 0)
    root = write_tree(tmp_path / "images", 150)
    packs = []
    for n in (1, 2, 3):
        image_folder(root, tmp_path / f"cache{n}", split=[0.6, 0.2, 0.2], n_processes=n).split("test")
        (pack,) = (tmp_path / f"cache{n}").iterdir()
        packs.append((pack / IMAGES).read_bytes())
    assert packs[0] == packs[1] == packs[2]


def test_a_pack_is_found_again_without_decoding(root, cache, monkeypatch):
    images, _ = image_folder(root, cache).split("train")
    moved = root.rename(root.with_name("moved"))
    monkeypatch.setattr(packer, "decode_chunk", None)
    again, _ = image_folder(moved, cache).split("train")
    assert again.equal(images)


def test_other_options_are_another_pack(root, cache):
    for size in ([6, 8], [3, 4]):
        decoding = Decoding.of_options(1, size, "stretch", 0)
        assert image_folder(root, cache, decoding).split("test")[0].shape == (6, 1, *size)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("broken", [["train/cat/0.png"], ["train/cat/1.png", "train/cat/2.png", "test/dog/2.png"]])
def test_broken_files_are_left_out_when_asked(broken, root, cache, caplog):
    for name in broken:
        (root / name).write_text("a text")
    with pytest.raises(
        DataError, match=r"png cannot be decoded: Pillow finds no image in it; .*dataset.skip_broken=true"
    ):
        image_folder(root, cache).split("train")
    assert not cache.exists()
    caplog.set_level(logging.INFO)
    folder = image_folder(root, cache, skip_broken=True)
    for split in ("train", "test"):
        names = [name.replace("train", split) for name in TRAIN]
        rest = [name for name in names if name not in broken]
        images, labels = folder.split(split)
        assert np.array_equal(images.numpy(), expected_images(rest))
        assert labels.tolist() == [int("dog" in name) for name in rest]
    assert f"left out {len(broken)} file" in caplog.text
    # A pack without these files is none for a run that wants all of them.
    with pytest.raises(DataError, match=f"{broken[0]} cannot be decoded"):
        image_folder(root, cache).split("train")


def test_a_class_whose_files_are_all_broken_is_refused(root, cache):
    for i in range(3):
        (root / "train" / "dog" / f"{i}.png").write_text("a text")
    with pytest.raises(DataError, match="expected images of each class in train, got none of dog"):
        image_folder(root, cache, skip_broken=True).split("train")
    assert not cache.exists()


def test_images_of_several_sizes_need_a_size(root, cache):
    write_image(root, "test/dog/1.png", 6, 7)
    with pytest.raises(
        DataError, match=r"test/dog/1.png: expected 6×8 pixels \(height × width\), as the first image has, got 6×7; "
    ):
        image_folder(root, cache).split("train")
    decoding = Decoding.of_options(3, [6, 8], "pad", 0)
    assert image_folder(root, cache, decoding).split("test")[0].shape == (6, 3, 6, 8)


def test_the_end_says_what_was_packed_and_left_out(root, cache, caplog):
    (root / "train" / "cat" / ".hidden").touch()
    (root / "README.txt").touch()
    caplog.set_level(logging.INFO)
    image_folder(root, cache).split("train")
    assert "packed 18 images of 3×6×8 from" in caplog.text
    assert "left out 1 hidden and 1 other such as README.txt" in caplog.text
    caplog.clear()
    image_folder(root, cache).split("train")
    assert not caplog.text


def test_no_room_on_the_disk_is_said_before_it_is_full(root, cache, monkeypatch):
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(DataError, match=r"expected 2.6 kB on the disk of .*cache .*, got 1.0 kB; dataset.cache="):
        image_folder(root, cache).split("train")
    assert not cache.exists()


@pytest.mark.parametrize("call", ["posix_fallocate", "write"])
def test_a_disk_that_fills_up_leaves_nothing(call, root, cache, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DataError, match=r"dataset.cache=.*: the disk is full \(No space left on device\); "):
        image_folder(root, cache).split("train")
    assert not cache.exists()


def test_a_file_system_without_promises_takes_a_pack(root, cache, monkeypatch):
    def unsupported(*args):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(os, "posix_fallocate", unsupported)
    assert np.array_equal(image_folder(root, cache).split("train")[0].numpy(), expected_images(TRAIN))


def test_a_cache_that_cannot_be_written_is_one_sentence(root, tmp_path):
    (tmp_path / "file").touch()
    for cache in (tmp_path / "file", tmp_path / "file" / "inside", "/proc/nothing"):
        with pytest.raises(
            DataError, match=r"dataset.cache=.* cannot be written \(.*\); dataset.cache=DIR or \$STNKIT"
        ):
            image_folder(root, tmp_path.joinpath(cache)).split("train")


def test_an_interruption_leaves_nothing(root, cache, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(packer, "decode_chunk", interrupted)
    with pytest.raises(KeyboardInterrupt):
        image_folder(root, cache).split("train")
    assert not cache.exists()


@pytest.mark.parametrize("damage", ["cut", "index", "old"])
def test_a_damaged_pack_is_packed_anew(damage, root, cache):
    image_folder(root, cache).split("train")
    (pack,) = cache.iterdir()
    if damage == "cut":
        os.truncate(pack / IMAGES, 100)
    else:
        index = (pack / "index.json").read_text()
        (pack / "index.json").write_text(
            index[:-20] if damage == "index" else index.replace('"format": 2', '"format": 1')
        )
    assert read_index(pack) is None
    assert np.array_equal(image_folder(root, cache).split("train")[0].numpy(), expected_images(TRAIN))
    assert list(cache.iterdir()) == [pack]


def test_only_what_is_packed_is_read_when_asked(root, cache):
    with pytest.raises(DataError, match=r"the 18 images of .*images are not packed yet"):
        image_folder(root, cache, may_pack=False).split("train")
    assert not cache.exists()
    image_folder(root, cache).split("train")
    assert len(image_folder(root, cache, may_pack=False).split("train")[0]) == 6


@pytest.mark.parametrize("few", [0, 2_000])
@pytest.mark.process
def test_a_file_that_is_not_given_fails_and_is_not_noted(few, root, cache, monkeypatch):
    monkeypatch.setattr(packer, "_FEW", few)
    path, kept = root / "train" / "cat" / "1.png", root.parent / "kept.png"
    folder = image_folder(root, cache, n_processes=2, skip_broken=True)
    listing = packer.assign

    def gone(*args):  # between listing and decoding, as a server that does not answer
        path.rename(kept)
        return listing(*args)

    monkeypatch.setattr(packer, "assign", gone)
    with pytest.raises(DataError, match=r"train/cat/1.png cannot be read: No such file or directory$"):
        folder.split("train")
    assert not cache.exists()
    monkeypatch.setattr(packer, "assign", listing)
    kept.rename(path)
    assert np.array_equal(folder.split("train")[0].numpy(), expected_images(TRAIN))
