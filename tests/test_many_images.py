"""The benchmark of many images measures what it says, on a tree of sixty."""

import numpy as np
import pytest
import torch
from PIL import Image

import stnkit
from tests.helpers import ROOT


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.fixture
def tree(tmp_path):
    from many_images import make

    root, n = tmp_path / "images", 1000
    for index in range(60):  # ten of test, ten of validation and forty of train
        path = make.path_of(root, index, n)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make.image_of(index)).save(path)
    return root


def test_an_image_follows_from_its_number():
    from many_images import make

    first, again, other = make.image_of(3), make.image_of(3), make.image_of(13)
    assert first.shape == (96, 96, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_both_ways_deliver_the_same_images(tree, tmp_path):
    from many_images import delivery

    folder = stnkit.build("dataset", "folder", root=str(tree), cache=str(tmp_path / "cache"))
    ours = delivery.Batches(folder, "none").batch()
    files = delivery.Files(tree / "train")
    theirs = torch.stack([image for image, _ in files])
    assert len(ours) == len(theirs) == 40
    order = [int((theirs - image).flatten(1).abs().sum(dim=1).argmin()) for image in ours]
    assert sorted(order) == list(range(40))
    assert torch.equal(ours, theirs[order])


def test_the_page_has_a_line_for_each_figure():
    from many_images.measure import Row, page

    text = page([Row("packing", "4 images/s", "5 images/s", 0.8, [0.7, 0.9], "≥ 0.8", holds=True)], 1000)
    assert "| packing | 4 images/s | 5 images/s | 0.80 | 0.70 to 0.90 | ≥ 0.8 | ✓ |" in text
