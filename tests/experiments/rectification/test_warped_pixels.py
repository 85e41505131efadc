"""Warped pixels are the values of the sampler in float64, rounded, at every depth."""

import pytest
import torch

import stnkit
from stnkit.experiments.rectification.maps import ImageMap
from stnkit.experiments.rectification.warped_pixels import warped_pixels


@pytest.mark.parametrize("transform", ["affine", "tps"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int32])
def test_pixels_of_a_wide_image_are_right_to_their_last_bit(dtype, transform):
    family, sampler = stnkit.build("transform", transform), stnkit.build("sampler", "bilinear")
    generator = torch.Generator().manual_seed(0)
    largest = 2**8 if dtype is torch.uint8 else 2**16
    image = torch.randint(0, largest, (1, 40, 4000), generator=generator).to(dtype)
    theta = (family.identity() + 0.01 * torch.randn(1, family.n_params, generator=generator)).float()
    found = warped_pixels(image, ImageMap(family, theta), sampler, (40, 4000)).double()
    exact = stnkit.warp(family, theta.double(), image.double()[None], sampler, (40, 4000))[0]
    # Points in float32 are off by 1e-4 pixels: a share of a level of 8 bits, and many levels of 16.
    tolerance = 0.05 if dtype is torch.uint8 else 1e-3
    assert (found - exact).abs().max() <= 0.5 + tolerance


@pytest.mark.parametrize(
    ("dtype", "white"), [(torch.uint8, 255), (torch.uint16, 65_535), (torch.int32, 65_535), (torch.float32, 1)]
)
def test_a_fill_of_1_is_white_at_every_depth(dtype, white):
    family = stnkit.build("transform", "affine")
    sampler = stnkit.build("sampler", {"name": "bilinear", "padding": "fill", "fill_value": 1.0})
    theta = family.identity()[None] + torch.tensor([0, 0, 3.0, 0, 0, 0])  # everything lies beside the image
    found = warped_pixels(torch.zeros(1, 20, 20, dtype=dtype), ImageMap(family, theta), sampler, (20, 20))
    assert found.dtype == dtype
    assert (found.double() == white).all()
