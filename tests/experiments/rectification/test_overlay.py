"""The overlay shows the colors of its image, at every depth and in ink."""

import numpy as np
import pytest
import torch

import stnkit
from stnkit.experiments.rectification.maps import ImageMap
from stnkit.experiments.rectification.overlay import COLOR, overlay
from stnkit.experiments.rectification.warped_pixels import white


@pytest.fixture
def through():
    family = stnkit.build("transform", "affine")
    return ImageMap(family, family.identity()[None])


def shown(image, through, **options):
    """The colors of the overlay beside the lines."""
    drawn = np.asarray(overlay(image, through, largest=white(image.dtype), **options))
    return {tuple(color) for color in drawn.reshape(-1, 3).tolist()} - {COLOR}


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int32, torch.float32])
def test_a_gray_is_the_same_gray_at_every_depth(dtype, through):
    image = torch.full((1, 60, 60), 0.2 * white(dtype), dtype=torch.float64).to(dtype)
    assert shown(image, through) == {(51, 51, 51)}


@pytest.mark.parametrize(
    ("ink", "color"),
    [((0, 0, 0, 255), (0, 0, 0)), ((0, 0, 0, 0), (255, 255, 255)), ((255, 0, 51, 51), (0, 204, 163))],
)
def test_ink_is_shown_with_its_black(ink, color, through):
    image = 255 - torch.tensor(ink, dtype=torch.uint8)[:, None, None].expand(4, 60, 60)
    assert shown(image, through, ink=True) == {color}
