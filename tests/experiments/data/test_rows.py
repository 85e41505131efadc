"""Rows of a tensor in memory or of a mapped file, and the pages that the file takes."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stnkit.experiments.data import rows
from stnkit.experiments.data.rows import Rows, as_float

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@pytest.fixture
def mapped(tmp_path):
    """Images of which each is 64 KiB, mapped from a file for reading."""
    path = tmp_path / "images.npy"
    np.save(path, np.arange(256, dtype=np.uint8).repeat(2**16).reshape(256, 1, 256, 256))
    array = np.load(path, mmap_mode="r")
    with pytest.warns(UserWarning, match="not writable"):
        return torch.from_numpy(array)


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
def test_pages_of_a_mapped_file_leave_the_process_and_come_back(mapped, monkeypatch):
    monkeypatch.setattr(rows, "RELEASE_EVERY", 64 * 2**16)
    read = Rows(mapped)
    for start in range(0, 256, 8):
        index = torch.arange(start, start + 8)
        assert torch.equal(read.take(index)[:, 0, 0, 0].long(), index)
        assert resident_kib("images.npy") <= 8192  # half of the file, since neighbors of a page are mapped with it
    assert torch.equal(read.take(torch.arange(256))[:, 0, -1, -1].long(), torch.arange(256))


@linux
def test_pages_that_are_copied_on_write_leave_it_unless_changed(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "RELEASE_EVERY", 64 * 2**16)
    np.save(tmp_path / "private.npy", np.arange(256, dtype=np.uint8).repeat(2**16).reshape(256, 1, 256, 256))
    images = torch.from_numpy(np.load(tmp_path / "private.npy", mmap_mode="c"))
    read = Rows(images)
    for start in range(0, 256, 8):
        read.take(torch.arange(start, start + 8))
        assert resident_kib("private.npy") <= 8192
    images[200] = 7
    for start in range(0, 256, 8):
        read.take(torch.arange(start, start + 8))
    assert resident_kib("private.npy") > 8192
    assert torch.equal(read.take(torch.tensor([200, 201]))[:, 0, 0, 0], torch.tensor([7, 201], dtype=torch.uint8))


@linux
def test_memory_that_holds_changes_is_never_unmapped(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "RELEASE_EVERY", 1)
    np.save(tmp_path / "images.npy", np.zeros((64, 1, 64, 64), np.uint8))
    for images in (torch.zeros(64, 1, 64, 64), torch.from_numpy(np.load(tmp_path / "images.npy", mmap_mode="c"))):
        images[3] = 7
        read = Rows(images)
        read.take(torch.arange(64))
        read.chunk(0, 64)
        assert bool((images[3] == 7).all())
        assert bool((images[4] == 0).all())
