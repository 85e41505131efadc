"""Maps in few digits: those of a family lead back, and those of another are refused with the true distance."""

import re

import numpy as np
import pytest
import torch

import stnkit
from stnkit import interop
from stnkit.interop.rounding import spacing
from tests.helpers import random_theta

SHIFT, TURN = stnkit.build("transform", "translation"), stnkit.build("transform", "rotation")
SIZE = (512, 512)
ANGLE, MOVE = torch.tensor([[0.1]]), torch.tensor([[0.3, -0.2]])
HALVES = pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])

# Each tool: the map of a θ in a dtype, and the θ of such a map.
TOOLS = {
    "pixels": (
        lambda family, theta, dtype: [torch.tensor(interop.pixel_map(family, theta, SIZE, SIZE)).to(dtype)],
        lambda family, pixels: interop.theta_of_pixel_map(family, pixels, SIZE),
    ),
    "opencv": (
        lambda family, theta, dtype: [
            torch.tensor(m).to(dtype) for m in interop.opencv.remap(family, theta, SIZE, SIZE)
        ],
        lambda family, x, y: interop.opencv.theta_of_maps(family, x, y, SIZE),
    ),
    "scipy": (
        lambda family, theta, dtype: [torch.tensor(interop.scipy.map_coordinates(family, theta, SIZE, SIZE)).to(dtype)],
        lambda family, points: interop.scipy.theta_of_coordinates(family, points, SIZE),
    ),
    "torchvision": (
        lambda family, theta, dtype: [interop.torchvision.elastic(family, theta, SIZE).to(dtype)],
        interop.torchvision.theta_of_field,
    ),
    "monai": (
        lambda family, theta, dtype: [interop.monai.warp_field(family, theta, SIZE).to(dtype)],
        interop.monai.theta_of_field,
    ),
    "align_corners": (
        lambda family, theta, dtype: [interop.align_corners.grid(family, theta, SIZE, SIZE).to(dtype)],
        lambda family, grid: interop.align_corners.theta_of_grid(family, grid, SIZE),
    ),
}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_spacing_is_that_of_the_next_number(dtype):
    numbers = torch.tensor([0.0, 1e-6, 0.7, 1.0, 1.9, 2.0, 999.0, -3000.0], dtype=dtype)
    integers = numbers.abs().view({2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize])
    following = (integers + 1).view(dtype).double()
    assert torch.equal(spacing(numbers), following - numbers.abs().double())
    assert torch.equal(spacing(numbers.double(), dtype), spacing(numbers))


def test_whole_numbers_and_unknown_ones_have_no_spacing_above_0():
    assert not spacing(torch.tensor([3, 4])).any()
    assert spacing(torch.tensor([torch.nan, torch.inf])).max() < 1e-40


@HALVES
@pytest.mark.parametrize("tool", TOOLS)
def test_a_rounded_map_leads_back_to_its_theta(tool, dtype):
    there, back = TOOLS[tool]
    for family, theta in ((SHIFT, MOVE), (TURN, ANGLE)):
        found = back(family, *there(family, theta, dtype))
        torch.testing.assert_close(found, theta.double(), rtol=0, atol=torch.finfo(dtype).eps)


@HALVES
@pytest.mark.parametrize("tool", TOOLS)
def test_a_rounded_map_of_another_family_is_refused(tool, dtype):
    # A turn moves the corners by 0.1 · √2 half images, 36.2 pixels, and no shift is nearer to all four of them.
    there, back = TOOLS[tool]
    with pytest.raises(stnkit.errors.InputError, match=r"^map: expected one of Translation, got one") as refused:
        back(SHIFT, *there(TURN, ANGLE, dtype))
    distance = float(re.search(r"misses by ([\d.]+) pixels", str(refused.value))[1])
    assert abs(distance - 36.1) < 2 * 2**8 * torch.finfo(dtype).eps


def test_a_converted_map_may_name_the_dtype_it_was_stored_in():
    pixels = torch.tensor(interop.pixel_map(SHIFT, MOVE, SIZE, SIZE)).bfloat16().float()
    interop.theta_of_pixel_map(SHIFT, pixels, SIZE, dtype=torch.bfloat16)
    with pytest.raises(stnkit.errors.InputError, match=r"misses by"):
        interop.theta_of_pixel_map(SHIFT, pixels, SIZE)


@HALVES
@pytest.mark.parametrize("tool", TOOLS)
def test_a_rounded_map_with_a_horizon_leads_back(tool, dtype):
    family = stnkit.build("transform", "projective")
    theta = torch.tensor([[1.0, 0.1, 0.2, 0.0, 0.9, 0.1, 0.8, 0.5]])
    assert (family.grid(theta, SIZE) == stnkit.coordinates.OUTSIDE).any()
    there, back = TOOLS[tool]
    found = back(family, *there(family, theta, dtype))
    torch.testing.assert_close(found, theta.double(), rtol=0, atol=torch.finfo(dtype).eps)


def test_a_map_beyond_the_range_of_half_has_no_source_there():
    family, theta = stnkit.build("transform", "projective"), torch.tensor([[1.0, 0, 0, 0, 1, 0, 0.8, 0.5]])
    pixels = torch.tensor(interop.pixel_map(family, theta, SIZE, SIZE)).half()
    assert np.isinf(pixels.numpy()).any()
    torch.testing.assert_close(
        interop.theta_of_pixel_map(family, pixels, SIZE), theta.double(), rtol=0, atol=torch.finfo(torch.half).eps
    )


@HALVES
@pytest.mark.parametrize("name", ["affine", "projective", "tps"])
def test_a_displacement_computed_in_16_bits_leads_back(name, dtype):
    family, size = stnkit.build("transform", name), (480, 640)
    theta = random_theta(family, batch=1, scale=0.05)
    grid, lattice = family.grid(theta, size), stnkit.coordinates.lattice(size, dtype=torch.float64)
    found = interop.torchvision.theta_of_field(family, grid.to(dtype) - lattice.to(dtype))
    pixels = [stnkit.coordinates.to_pixels(family.grid(each, size), size) for each in (found, theta)]
    # Half a step of the coordinates near 1, in pixels of half the width.
    assert (pixels[0] - pixels[1]).abs().max() < torch.finfo(dtype).eps * 320
