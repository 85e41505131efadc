import mmap
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from stnkit.errors import DataError, InputError
from stnkit.packing import Decoding, ImageFolder, find_layout, pack
from stnkit.packing.index import IMAGES, Index
from stnkit.packing.pack import Pack
from tests.packing.pictures import write_splits


def made(folder, shape=(3, 16, 16), n=100):
    """A pack of random images, without files that it comes from."""
    pixels = np.random.default_rng(0).integers(0, 256, (n, *shape), dtype=np.uint8)
    folder.mkdir()
    pixels.tofile(folder / IMAGES)
    counts = {"train": [n - 50, 10], "validation": [15, 5], "test": [0, 20]}
    return Pack(folder, Index("/root", ["a", "b"], list(shape), counts, [], 0, 0, 0.0)), pixels


def test_a_split_is_its_part_of_the_file(tmp_path):
    pack, pixels = made(tmp_path / "pack")
    for split, rows, labels in (
        ("train", slice(0, 60), [0] * 50 + [1] * 10),
        ("validation", slice(60, 80), [0] * 15 + [1] * 5),
        ("test", slice(80, 100), [1] * 20),
    ):
        images, targets = pack.split(split)
        assert np.array_equal(images.numpy(), pixels[rows])
        assert (images.dtype, targets.dtype) == (torch.uint8, torch.int64)
        assert targets.tolist() == labels


def test_a_write_changes_a_private_copy_and_no_file(tmp_path):
    pack, pixels = made(tmp_path / "pack")
    images, _ = pack.split("train")
    images[3] = 7
    assert (images[3] == 7).all()
    assert np.array_equal(pack.split("train")[0].numpy(), pixels[:60])
    assert np.array_equal(np.fromfile(pack.folder / IMAGES, np.uint8), pixels.ravel())


def test_read_only_memory_is_mapped_where_private_is_refused(tmp_path, monkeypatch):
    original = mmap.mmap

    def refused(*args, **options):
        if "prot" in options:
            raise OSError(12, "Cannot allocate memory")
        return original(*args, **options)

    packed, pixels = made(tmp_path / "pack")
    monkeypatch.setattr(pack.mmap, "mmap", refused)
    assert np.array_equal(packed.split("train")[0].numpy(), pixels[:60])


def copied_kilobytes(path):
    """Size of the pages of a mapped file that this process has copied: no other one shares them."""
    blocks = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text(), flags=re.MULTILINE)
    (block,) = [block for block in blocks if str(path) in block]
    return int(re.search(r"Anonymous:\s+(\d+) kB", block)[1])


def test_reading_copies_no_page(tmp_path):
    pack, pixels = made(tmp_path / "pack", (3, 128, 128), 200)
    images, _ = pack.split("train")
    assert sum(int(image.sum()) for image in images) == pixels[: len(images)].sum()
    assert copied_kilobytes(pack.folder / IMAGES) == 0
    images[0] = 0
    assert 48 <= copied_kilobytes(pack.folder / IMAGES) <= 56


def test_a_file_larger_than_the_memory_is_mapped(tmp_path):
    folder = tmp_path / "pack"
    folder.mkdir()
    n = 2 * int(re.search(r"MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text())[1])  # of 1 KiB
    with (folder / IMAGES).open("wb") as file:
        file.truncate(n * 1024)  # a hole, which takes no room
    counts = {"train": [n - 2], "validation": [1], "test": [1]}
    images, _ = Pack(folder, Index("/", ["a"], [1, 32, 32], counts, [], 0, 0, 0.0)).split("test")
    assert images.tolist() == torch.zeros(1, 1, 32, 32).tolist()


def test_an_image_folder_can_be_pickled_after_it_is_read(tmp_path):
    folder = ImageFolder(find_layout(write_splits(tmp_path / "images"), None), Decoding(), tmp_path / "cache")
    images, _ = folder.split("train")
    assert len(pickle.dumps(folder)) < 10_000
    assert pickle.loads(pickle.dumps(folder)).split("train")[0].equal(images)


def test_a_removed_pack_and_an_unknown_split_are_refused(tmp_path):
    packed, _ = made(tmp_path / "pack")
    (packed.folder / IMAGES).unlink()
    with pytest.raises(DataError, match=r"images.bin cannot be read: No such file"):
        packed.split("train")
    folder = ImageFolder(find_layout(write_splits(tmp_path / "images"), None), Decoding(), tmp_path / "cache")
    with pytest.raises(InputError, match="expected a split of train, validation, test, got 'holdout'"):
        folder.split("holdout")
