import numpy as np
import pytest
import torch

import stnkit
from tests.samplers.oracles import PADDINGS, SIZES, padding_options, random_grid, random_image, scipy_sample


@pytest.mark.parametrize("double_backward", [False, True])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES)
def test_equals_scipy(size, padding, double_backward):
    image, grid = random_image(size), random_grid(len(size))
    expected = scipy_sample(image, grid, 1, padding)
    sampler = stnkit.build("sampler", "bilinear", double_backward=double_backward, **padding_options(padding))
    assert np.abs(sampler(image, grid).numpy() - expected).max() < 1e-10
    assert np.abs(sampler(image.float(), grid.float()).numpy() - expected).max() < 1e-5


def gradients_both_ways(size, grid, padding):
    results = []
    for double_backward in (False, True):
        image, points = random_image(size).requires_grad_(), grid.clone().requires_grad_()
        sampler = stnkit.build("sampler", "bilinear", double_backward=double_backward, **padding_options(padding))
        results.append(torch.autograd.grad(sampler(image, points).square().sum(), (image, points)))
    return zip(*results, strict=True)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(5, 8), (1, 1), (3, 4, 5)])
def test_both_ways_have_the_same_gradients(size, padding):
    for ours, theirs in gradients_both_ways(size, random_grid(len(size)), padding):
        assert (ours - theirs).abs().max() < 1e-10


@pytest.mark.parametrize("padding", ["zeros", "fill"])
@pytest.mark.parametrize("size", [(4, 8), (2, 4, 8)])
def test_both_ways_have_the_same_sub_gradient_at_pixel_centers(size, padding):
    # In powers of two the centers are exact, and no rounding decides on which side of the kink they lie.
    centers = stnkit.coordinates.lattice(size, dtype=torch.float64).expand(2, *size, len(size))
    for ours, theirs in gradients_both_ways(size, centers, padding):
        assert (ours - theirs).abs().max() < 1e-10


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(4, 5), (2, 3, 4)])
@pytest.mark.no_jaxtyping  # many evaluations of one shape
@pytest.mark.slow
def test_the_second_derivative_is_right_by_option(size, padding):
    sampler = stnkit.build("sampler", "bilinear", double_backward=True, **padding_options(padding))
    image = random_image(size, batch=1, channels=1).requires_grad_()
    grid = random_grid(len(size), batch=1, n=2).requires_grad_()
    assert torch.autograd.gradgradcheck(sampler, (image, grid))


def test_an_integer_fill_and_a_list_are_read_from_a_config():
    image, outside = torch.ones(1, 2, 3, 3), torch.full((1, 1, 1, 2), 5.0)
    for given, expected in ((2, [2.0, 2.0]), ([3, 4.5], [3.0, 4.5])):
        sampler = stnkit.build("sampler", {"name": "bilinear", "padding": "fill", "fill_value": given})
        assert sampler(image, outside).flatten().tolist() == expected
