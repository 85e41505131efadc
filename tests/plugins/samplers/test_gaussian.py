import math

import numpy as np
import pytest
import scipy.ndimage
import torch

import stnkit
from tests.samplers.oracles import PADDINGS, SIZES, loop_sample, padding_options, random_grid, random_image


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sigma", [0.3, 0.6])
def test_equals_the_sum_over_pixels(size, padding, sigma):
    image, grid = random_image(size, batch=1), random_grid(len(size), batch=1, n=2)
    expected = loop_sample(
        image,
        grid,
        lambda d: math.exp(-(d**2) / (2 * sigma**2)),
        math.ceil(4 * sigma) + 0.5,
        padding,
        normalized=True,
    )
    sampler = stnkit.build("sampler", "gaussian", sigma=sigma, **padding_options(padding))
    assert np.abs(sampler(image, grid).numpy() - expected).max() < 1e-10
    assert np.abs(sampler(image.float(), grid.float()).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("sigma", [0.25, 0.5, 0.6, 1.0])
@pytest.mark.parametrize("size", [(9, 8), (6, 7, 5)])
def test_at_the_pixels_it_is_the_filter_of_scipy(size, sigma):
    image = random_image(size)
    grid = stnkit.coordinates.lattice(size, dtype=torch.float64).expand(2, *size, len(size))
    sampler = stnkit.build("sampler", "gaussian", sigma=sigma, padding="reflection")
    axes, reach = tuple(range(2, image.ndim)), math.ceil(4 * sigma) / sigma
    expected = scipy.ndimage.gaussian_filter(image.numpy(), sigma, truncate=reach, axes=axes)
    assert np.abs(sampler(image, grid).numpy() - expected).max() < 1e-10
    assert np.abs(sampler(image.float(), grid.float()).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("sigma", [0.1, 0.25, 0.5, 0.6, 1.0])
@pytest.mark.parametrize("part", [0.0, 0.125, 0.5, 0.875])
def test_of_a_mirrored_image_it_is_the_mirrored_result(part, sigma):
    image = random_image((8, 16))
    pixels = part + torch.cartesian_prod(torch.arange(15.0), torch.arange(7.0)).double()
    grid = stnkit.coordinates.from_pixels(pixels, (8, 16)).expand(2, 1, -1, 2)
    sampler = stnkit.build("sampler", "gaussian", sigma=sigma)
    assert (sampler(image.flip(2, 3), -grid) - sampler(image, grid)).abs().max() < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_narrowest_is_the_nearest_pixel_and_halfway_the_mean(dtype):
    image = torch.tensor([[[[1.0, 5.0]]]], dtype=dtype)
    points = torch.tensor([[[[0.2, 0.0], [0.5, 0.0], [0.8, 0.0]]]], dtype=dtype)
    grid = stnkit.coordinates.from_pixels(points, (1, 2))
    out = stnkit.build("sampler", "gaussian", sigma=0.1)(image, grid).flatten()
    assert torch.allclose(out, torch.tensor([1.0, 3.0, 5.0], dtype=dtype), atol=1e-5)


def test_a_wider_one_has_a_gradient_where_the_image_is_far():
    image = torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    image[..., 4, 7] = 1.0
    points = torch.tensor([[[[4.0, 4.0]]]], dtype=torch.float64)
    grid = stnkit.coordinates.from_pixels(points, (9, 9)).requires_grad_()
    for sigma, reaches in ((0.5, False), (1.5, True)):
        stnkit.build("sampler", "gaussian", sigma=sigma)(image, grid).sum().backward()
        assert (grid.grad[..., 0] > 1e-3).all() == reaches
        grid.grad = None


@pytest.mark.parametrize("sigma", [0.0, -1.0, 0.05, float("nan"), float("inf")])
def test_a_sigma_out_of_range_is_refused(sigma):
    with pytest.raises(stnkit.errors.InputError, match="sigma: expected at least"):
        stnkit.build("sampler", "gaussian", sigma=sigma)
