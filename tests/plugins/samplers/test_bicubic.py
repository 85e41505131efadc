import numpy as np
import pytest
import torch
from torch.nn import functional

import stnkit
from tests.samplers.oracles import (
    PADDINGS,
    SIZES,
    SIZES_2D,
    keys,
    loop_sample,
    padding_options,
    random_grid,
    random_image,
)


@pytest.mark.parametrize("double_backward", [False, True])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("size", SIZES_2D)
def test_equals_torch_by_default(size, padding, double_backward):
    image, grid = random_image(size), random_grid(2)
    expected = functional.grid_sample(image, grid, mode="bicubic", padding_mode=padding, align_corners=False)
    sampler = stnkit.build("sampler", "bicubic", padding=padding, double_backward=double_backward)
    assert (sampler(image, grid) - expected).abs().max() < 1e-10
    assert (sampler(image.float(), grid.float()) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("a", [-0.75, -0.5])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES)
def test_equals_the_sum_over_pixels_of_keys_kernel(size, padding, a):
    image, grid = random_image(size, batch=1), random_grid(len(size), batch=1, n=2)
    expected = loop_sample(image, grid, keys(a), 2, padding)
    sampler = stnkit.build("sampler", "bicubic", a=a, **padding_options(padding))
    assert np.abs(sampler(image, grid).numpy() - expected).max() < 1e-10
    assert np.abs(sampler(image.float(), grid.float()).numpy() - expected).max() < 1e-5


def test_only_catmull_rom_is_exact_for_quadratic_images():
    x = torch.arange(12, dtype=torch.float64)
    image = (0.5 * x**2 - 3 * x + 1).expand(1, 1, 3, 12)
    at = torch.tensor([3.3, 5.0, 7.75], dtype=torch.float64)
    points = torch.stack([at, torch.ones_like(at)], dim=-1)[None, None]
    grid = stnkit.coordinates.from_pixels(points, (3, 12))
    expected = 0.5 * at**2 - 3 * at + 1
    errors = [
        (stnkit.build("sampler", "bicubic", a=a)(image, grid).flatten() - expected).abs().max() for a in (-0.5, -0.75)
    ]
    assert errors[0] < 1e-10 < errors[1]


@pytest.mark.parametrize("padding", PADDINGS)
def test_both_ways_have_the_same_gradients(padding):
    gradients = []
    for double_backward in (False, True):
        image, grid = random_image((5, 8)).requires_grad_(), random_grid(2).requires_grad_()
        sampler = stnkit.build("sampler", "bicubic", double_backward=double_backward, **padding_options(padding))
        gradients.append(torch.autograd.grad(sampler(image, grid).square().sum(), (image, grid)))
    for ours, theirs in zip(*gradients, strict=True):
        assert (ours - theirs).abs().max() < 1e-10


@pytest.mark.parametrize("size", [(4, 5), (2, 3, 4)])
@pytest.mark.no_jaxtyping  # many evaluations of one shape
@pytest.mark.slow
def test_the_second_derivative_is_right_by_option(size):
    sampler = stnkit.build("sampler", "bicubic", double_backward=True)
    image = random_image(size, batch=1, channels=1).requires_grad_()
    grid = random_grid(len(size), batch=1, n=2).requires_grad_()
    assert torch.autograd.gradgradcheck(sampler, (image, grid))


@pytest.mark.parametrize("a", [float("nan"), float("inf"), 1e30])
def test_a_slope_that_is_not_finite_or_enormous_is_refused(a):
    with pytest.raises(stnkit.errors.InputError, match="a: expected a number between -10 and 10"):
        stnkit.build("sampler", "bicubic", a=a)
