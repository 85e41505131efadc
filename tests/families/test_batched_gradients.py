"""Many gradients of a warp in one backward pass, as `is_grads_batched` and `vectorize` take them."""

import contextlib

import pytest
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import random_points, random_theta

NAMES = plugin_registry().names("transform")
# With fewer points than a sum has, with as many, and with some left over.
SIZES = [(4, 4), (16, 16), (17, 16)]


def same_as_each(values, inputs):
    """The gradients of three directions at a time, held against those of each."""
    upstream = torch.randn(3, *values.shape, dtype=values.dtype)
    together = torch.autograd.grad(values, inputs, upstream, is_grads_batched=True, retain_graph=True)
    each = [torch.autograd.grad(values, inputs, direction, retain_graph=True) for direction in upstream]
    for found, expected in zip(together, zip(*each, strict=True), strict=True):
        torch.testing.assert_close(found, torch.stack(expected))


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_batched_gradients_are_those_of_each_direction(name, native):
    family, sampler = stnkit.build("transform", name), stnkit.build("sampler", "bilinear")
    theta = (family.identity() + random_theta(family, batch=2, scale=0.03)).requires_grad_()
    points = random_points(family, batch=1, n=16).requires_grad_()
    image = torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    with contextlib.nullcontext() if native else stnkit.native.disabled():
        same_as_each(family(theta, points), (theta, points))
        for size in SIZES:
            same_as_each(stnkit.warp(family, theta, image, sampler, size), (theta, image))


@pytest.mark.parametrize("name", ["tps", "piecewise_affine", "compose", "bounded", "cpab"])
def test_a_vectorized_hessian_is_that_of_each_entry(name):
    family, sampler = stnkit.build("transform", name), stnkit.build("sampler", "bicubic")
    theta = family.identity() + random_theta(family, batch=1, scale=0.03)
    image = torch.rand(1, 1, 8, 8, dtype=torch.float64)

    def loss(theta):
        return stnkit.warp(family, theta, image, sampler, (4, 4)).square().sum()

    expected = torch.autograd.functional.hessian(loss, theta)
    torch.testing.assert_close(torch.autograd.functional.hessian(loss, theta, vectorize=True), expected)
