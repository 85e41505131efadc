"""The values of the training: images of another unit are refused, and not taken for others."""

import re

import numpy as np
import pytest
import torch
from PIL import Image

from stnkit.errors import InputError
from stnkit.experiments.rectification.apply import Request, apply
from stnkit.experiments.rectification.results import Options

BYTES = (torch.arange(3 * 24 * 32) % 256).byte().view(3, 24, 32)
STANDARDIZED = [-0.42, 2.82]


@pytest.mark.parametrize(
    ("values", "image", "message"),
    [
        (
            [0, 255],
            BYTES,
            "floating-point numbers as those of the training, 0 to 255, got uint8, which is read as 0 to 1",
        ),
        (STANDARDIZED, BYTES, "floating-point numbers as those of the training, -0.42 to 2.82, got uint8, which is"),
        (
            [-1, 1],
            BYTES,
            "floating-point numbers as those of the training, -1 to 1, got uint8, which is read as 0 to 1",
        ),
        ([0, 1], BYTES.float(), "numbers in the range of the training, 0 to 1, got 0 to 255"),
        (STANDARDIZED, BYTES.double(), "numbers in the range of the training, -0.42 to 2.82, got 0 to 255"),
        ([0, 255], -257.0 * BYTES, "numbers in the range of the training, 0 to 255, got -6.554e+04 to -0"),
    ],
)
def test_values_in_another_unit_are_refused(values, image, message, make_run):
    with pytest.raises(InputError, match=f"^image: expected {re.escape(message)}"):
        make_run(values=values).rectify(image)


@pytest.mark.parametrize(
    ("values", "image"),
    [
        ([0, 1], BYTES),
        ([-0.03, 1.04], BYTES),  # resized by a kernel that overshoots
        ([0, 0.01], BYTES / 255),  # dark images
        ([0, 1], 2 * BYTES / 255 - 0.5),
        ([0, 255], BYTES.float()),
        (STANDARDIZED, 10 * torch.ones(3, 24, 32)),  # a bright pixel
        ([0.5, 0.5], BYTES / 255),
        ([7.0, 7.0], BYTES.float()),
        (None, BYTES.float()),  # a record of an earlier version
    ],
)
def test_values_in_the_unit_of_the_training_are_taken(values, image, make_run):
    found = make_run(values=values).rectify(image)
    assert torch.equal(found.theta, make_run().rectify(image).theta)


def test_volumes_of_bytes_are_refused_too(make_run):
    run = make_run(in_shape=(1, 8, 8, 8), transform={"name": "affine", "ndim": 3}, network="none", values=[0, 255])
    with pytest.raises(InputError, match="got uint8"):
        run.rectify(torch.zeros(1, 8, 8, 8, dtype=torch.uint8))


def test_files_of_another_unit_are_refused_at_once(make_run, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(BYTES[0].numpy()).save(folder / "a.png")
    request = Request([folder], tmp_path / "out", Options(), {})
    expected = f"expected arrays (.npy) of numbers as those of the training, 0 to 255, got {folder / 'a.png'}, which"
    with pytest.raises(InputError, match=f"^{re.escape(expected)}"):
        apply(make_run(values=[0, 255]).rectifier(), request)
    assert not (tmp_path / "out").exists()


def test_an_array_of_another_unit_is_a_row_with_its_reason(make_run, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    np.save(folder / "a.npy", BYTES[None].numpy())
    np.save(folder / "b.npy", BYTES[None].float().numpy())
    found = apply(make_run(values=[0, 255]).rectifier(), Request([folder], tmp_path / "out", Options(), {}))
    assert [row.file for row in found.failed] == ["a.npy"]
    assert found.failed[0].error.endswith("as those of the training, 0 to 255, got uint8, which is read as 0 to 1")
