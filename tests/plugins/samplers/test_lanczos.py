import math

import numpy as np
import pytest
import torch

import stnkit
from tests.samplers.oracles import PADDINGS, SIZES, loop_sample, padding_options, random_grid, random_image


def lanczos(lobes):
    return lambda d: float(np.sinc(d) * np.sinc(d / lobes))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lobes", [2, 3])
def test_equals_the_sum_over_pixels(size, padding, lobes):
    image, grid = random_image(size, batch=1, channels=1), random_grid(len(size), batch=1, n=1)
    expected = loop_sample(image, grid, lanczos(lobes), lobes, padding, normalized=True)
    sampler = stnkit.build("sampler", "lanczos", lobes=lobes, **padding_options(padding))
    assert np.abs(sampler(image, grid).numpy() - expected).max() < 1e-10
    assert np.abs(sampler(image.float(), grid.float()).numpy() - expected).max() < 1e-5


def test_the_kernel_and_two_derivatives_are_smooth_near_zero():
    kernel = stnkit.build("sampler", "lanczos", lobes=3).kernel
    at = torch.tensor([0.0, 1e-9, 1e-4, 3.1e-3, 3.3e-3, 0.01, 1.0, -2.0], dtype=torch.float64).requires_grad_()
    assert np.abs(kernel(at).detach().numpy() - np.vectorize(lanczos(3))(at.detach().numpy())).max() < 1e-15
    (first,) = torch.autograd.grad(kernel(at).sum(), at, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), at)
    curvature = -(math.pi**2) * (1 + 1 / 9) / 3
    assert (first[:5] - curvature * at[:5]).abs().max() < 1e-6
    assert (second[:5] - curvature).abs().max() < 1e-3
    assert second.isfinite().all()


@pytest.mark.parametrize("lobes", [0, -1])
def test_no_lobes_are_refused(lobes):
    with pytest.raises(stnkit.errors.InputError, match="lobes: expected a whole number of at least 1"):
        stnkit.build("sampler", "lanczos", lobes=lobes)
