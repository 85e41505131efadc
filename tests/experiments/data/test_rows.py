"""Rows of a tensor in memory or of a mapped file, and the pages that the file takes."""

import copy
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from stnkit.experiments.data.rows import Rows, as_float

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def resident_kib(path_part):
    """The resident memory of the mappings of a file."""
    blocks = re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text())
    return sum(int(re.search(r"^Rss: +(\d+)", block, re.M)[1]) for block in blocks if path_part in block.split("\n")[0])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_rows_are_copies_in_the_order_of_the_index(dtype):
    images = torch.arange(24).view(6, 1, 2, 2).to(dtype)
    taken = Rows(images).take(torch.tensor([5, 0, 5]))
    assert torch.equal(taken, images[[5, 0, 5]])
    taken.zero_()
    assert images[5].float().sum() == 20 + 21 + 22 + 23


def test_bytes_become_their_quotient_with_255():
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(as_float(images), images.float() / 255)
    assert torch.equal(
        as_float(images.expand(2, 3, 16, 16)[..., ::2]), (images.float() / 255).expand(2, 3, 16, 16)[..., ::2]
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_floating_point_images_are_taken_as_they_are(dtype):
    images = torch.tensor([-1.5, 0.0, 3.0], dtype=dtype).view(1, 1, 1, 3)
    assert as_float(images).tolist() == [[[[-1.5, 0.0, 3.0]]]]
    assert as_float(images).dtype == torch.float32


@linux
@pytest.mark.parametrize("mode", ["r", "c"])
def test_rows_of_a_mapped_file_take_no_memory(tmp_path, mode):
    np.save(tmp_path / "mapped.npy", np.arange(256, dtype=np.uint8).repeat(2**16).reshape(256, 1, 256, 256))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")
        images = torch.from_numpy(np.load(tmp_path / "mapped.npy", mmap_mode=mode))
    read = Rows(images)
    order = torch.randperm(256)
    for index in order.split(7):
        assert torch.equal(read.take(index)[:, 0, 3, -1].long(), index)
    assert torch.equal(read.chunk(40, 300)[:, 0, 0, 0].long(), torch.arange(40, 256))
    assert resident_kib("mapped.npy") <= 256  # of 16 MiB
    assert torch.equal(copy.deepcopy(read).take(order[:3]), images[order[:3]])


@linux
@pytest.mark.parametrize("view", ["part", "channels_last", "float", "strided", "one"])
def test_views_of_a_mapped_file_are_read_as_they_are(tmp_path, view):
    array = np.random.default_rng(0).integers(0, 256, (20, 6, 5, 4), dtype=np.uint8)
    np.save(tmp_path / "mapped.npy", array.astype(np.float32) if view == "float" else array)
    whole = torch.from_numpy(np.load(tmp_path / "mapped.npy", mmap_mode="c"))
    images = {
        "part": whole[5:17],
        "channels_last": whole.permute(0, 3, 1, 2),
        "float": whole[1:],
        "strided": whole[::2, :, ::2],
        "one": whole[3:4],
    }[view]
    read = Rows(images)
    index = torch.randint(0, len(images), (9,))
    assert torch.equal(read.take(index), images[index])
    assert torch.equal(read.chunk(0, len(images)), images)


@linux
def test_changes_of_a_private_mapping_are_read(tmp_path):
    np.save(tmp_path / "mapped.npy", np.zeros((64, 1, 64, 64), np.uint8))
    images = torch.from_numpy(np.load(tmp_path / "mapped.npy", mmap_mode="c"))
    early = Rows(images)
    images[3] = 7
    early.refresh()
    for read in (early, Rows(images)):
        assert bool((read.take(torch.tensor([3])) == 7).all())
        assert bool((read.chunk(3, 4) == 7).all())


@linux
def test_a_file_that_took_the_name_of_another_is_not_read(tmp_path):
    for name, value in (("mapped", 1), ("other", 2)):
        np.save(tmp_path / f"{name}.npy", np.full((8, 1, 64, 64), value, np.uint8))
    images = torch.from_numpy(np.load(tmp_path / "mapped.npy", mmap_mode="c"))
    (tmp_path / "other.npy").replace(tmp_path / "mapped.npy")
    assert bool((Rows(images).take(torch.arange(8)) == 1).all())
