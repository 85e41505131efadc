"""With `affine_grid` and `grid_sample` of torch 2.13.0 and `align_corners=True`."""

import pytest
import torch
import torch.nn.functional as F

import stnkit
from stnkit.interop import align_corners
from tests.interop.pictures import (
    IMAGE,
    IN,
    OUT,
    OUT_VOLUME,
    VOLUME,
    VOXELS,
    affine,
    error,
    mean_error,
    projective,
    tps,
    warped,
)

SIZES = {2: (IMAGE, IN, OUT), 3: (VOXELS, VOLUME, OUT_VOLUME)}
# Padding of stnkit: that of torch.
PADDINGS = {"zeros": "zeros", "border": "border", "mirror": "reflection"}


def shown(image, grid, padding="zeros"):
    batch = torch.tensor(image)[None, None]
    return F.grid_sample(batch, grid, padding_mode=PADDINGS[padding], align_corners=True)[0, 0]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_affine_grid_shows_the_picture_of_stnkit(ndim, padding):
    family, theta = affine(ndim)
    image, in_size, out_size = SIZES[ndim]
    rows = align_corners.affine_grid(family, theta, in_size, out_size)
    grid = F.affine_grid(rows, [1, 1, *out_size], align_corners=True)
    assert error(shown(image, grid, padding), warped(family, theta, image, out_size, padding)) < 1e-13


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_grid_shows_the_picture_of_stnkit(padding):
    family, theta = tps()
    grid = align_corners.grid(family, theta, IN, OUT)
    assert error(shown(IMAGE, grid, padding), warped(family, theta, IMAGE, OUT, padding)) < 1e-13


@pytest.mark.parametrize("ndim", [2, 3])
def test_theta_of_an_affine_grid_shows_its_picture(ndim):
    family, theta = affine(ndim)
    image, in_size, out_size = SIZES[ndim]
    grid = F.affine_grid(theta.view(1, ndim, ndim + 1), [1, 1, *out_size], align_corners=True)
    back = align_corners.theta_of_affine_grid(family, theta.view(1, ndim, ndim + 1), in_size, out_size)
    assert error(shown(image, grid), warped(family, back, image, out_size)) < 1e-13


@pytest.mark.parametrize("guess", ["theta as it is", "grid as it is"])
def test_a_naive_theta_shows_another_picture(guess):
    family, theta = affine()
    grid = family.grid(theta, OUT)
    if guess == "theta as it is":
        grid = F.affine_grid(theta.view(1, 2, 3), [1, 1, *OUT], align_corners=True)
    assert mean_error(shown(IMAGE, grid), warped(family, theta, IMAGE, OUT)) > 0.02


def test_reflection_of_aligned_corners_is_about_centers():
    family, theta = affine()
    picture = shown(IMAGE, align_corners.grid(family, theta, IN, OUT), "mirror")
    assert error(picture, warped(family, theta, IMAGE, OUT, "reflection")) > 0.3


def test_points_are_those_of_the_outermost_centers_and_back():
    size = (4, 8)
    centers = stnkit.coordinates.from_pixels(torch.tensor([[0.0, 0.0], [7.0, 3.0]]), size)
    torch.testing.assert_close(align_corners.to_points(centers, size), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    points = torch.rand(5, 3, 2)
    torch.testing.assert_close(align_corners.from_points(align_corners.to_points(points, size), size), points)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_points_of_half_precision_are_widened(dtype):
    found = align_corners.from_points(torch.tensor([[1.0, -1.0]], dtype=dtype), (224, 4097))
    torch.testing.assert_close(found, torch.tensor([[4096 / 4097, -223 / 224]]), rtol=0, atol=1e-7)
    back = align_corners.to_points(torch.tensor([[0.5, -0.5]], dtype=dtype), (224, 4097))
    torch.testing.assert_close(back, torch.tensor([[0.5 * 4097 / 4096, -0.5 * 224 / 223]]), rtol=0, atol=1e-7)


def test_a_grid_has_the_gradient_of_theta():
    family, theta = tps()
    theta = theta.float().requires_grad_()
    grid = align_corners.grid(family, theta, IN, OUT)
    assert grid.dtype == torch.float32
    assert torch.autograd.grad(grid.square().sum(), theta)[0].abs().min() > 0


@pytest.mark.no_jaxtyping
def test_sizes_and_maps_without_aligned_corners_are_refused():
    family, theta = affine()
    message = r"^size: expected at least 2 pixels on each axis with align_corners=True, got \[1, 5\]$"
    for conversion in (
        lambda: align_corners.affine_grid(family, theta, (1, 5), OUT),
        lambda: align_corners.grid(family, theta, (1, 5), OUT),
        lambda: align_corners.theta_of_affine_grid(family, theta.view(1, 2, 3), IN, (1, 5)),
    ):
        with pytest.raises(stnkit.errors.InputError, match=message):
            conversion()
    with pytest.raises(stnkit.errors.InputError, match=r"use align_corners\.grid$"):
        align_corners.affine_grid(*projective(), IN, OUT)


def test_theta_of_a_grid_is_the_theta_that_made_it():
    family, theta = tps()
    back = align_corners.theta_of_grid(family, align_corners.grid(family, theta, IN, OUT), IN)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-9)
