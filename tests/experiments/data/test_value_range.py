"""The range of the training images is that of some of them, and of bytes it is known."""

import numpy as np
import torch

from stnkit.experiments.data import value_range as measured
from stnkit.experiments.data.mapped_file import MappedFile
from stnkit.experiments.data.value_range import value_range


def test_bytes_are_not_read():
    assert value_range(torch.empty(3, 1, 2, 2, dtype=torch.uint8, device="meta")) == [0.0, 1.0]


def test_the_first_and_the_last_image_are_among_those_seen():
    images = torch.zeros(5000, 1, 1, 1, dtype=torch.float16)
    images[0], images[-1] = -2.5, 7
    assert value_range(images) == [-2.5, 7.0]


def test_of_a_mapped_file_a_part_is_read(tmp_path, monkeypatch):
    np.save(tmp_path / "images.npy", np.linspace(0, 255, 600, dtype=np.float32)[:, None, None, None].repeat(4, axis=-1))
    images = torch.from_numpy(np.load(tmp_path / "images.npy", mmap_mode="c"))
    taken, take = [], MappedFile.take
    monkeypatch.setattr(MappedFile, "take", lambda self, index: taken.extend(index.tolist()) or take(self, index))
    assert value_range(images) == [0.0, 255.0]
    assert (len(taken), taken[0], taken[-1]) == (256, 0, 599)
    monkeypatch.setattr(measured, "_VALUES", 10)  # of volumes a few
    taken.clear()
    assert value_range(images) == [0.0, 255.0]
    assert taken == [0, 599]
