"""Gradients of the native path against differences of its own values."""

import pytest
import torch

import stnkit
from tests.native.cases import needs_library

pytestmark = [pytest.mark.no_jaxtyping, needs_library]
STEP = 2.0**-6


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
@pytest.mark.parametrize("transform", ["affine", "projective", "similarity", "tps", "piecewise_affine", "bspline"])
def test_theta_has_the_gradient_of_its_differences(transform, name):
    torch.manual_seed(0)
    family, sampler = stnkit.build("transform", transform), stnkit.build("sampler", name, padding="border")
    # A ramp, which both kernels reproduce, so that differences are exact wherever the points lie.
    ramp = 0.5 * torch.arange(32.0) + 0.25 * torch.arange(32.0)[:, None]
    image = torch.stack([ramp, -2 * ramp])[None]
    theta = 0.5 * family.identity().float()[None] + 0.02 * torch.randn(1, family.n_params)
    direction, upstream = 0.1 * torch.randn(1, family.n_params), torch.rand(1, 2, 16, 16)
    theta = theta + 0.5 * family.identity().float()[None] * (transform == "similarity")

    def value(step):
        return (stnkit.warp(family, theta + step * direction, image, sampler, (16, 16)).double() * upstream).sum()

    leaf = theta.requires_grad_()
    (gradient,) = torch.autograd.grad(stnkit.warp(family, leaf, image, sampler, (16, 16)), leaf, upstream)
    with torch.no_grad():
        difference = (value(STEP) - value(-STEP)) / (2 * STEP)
    torch.testing.assert_close((gradient * direction).sum().double(), difference, rtol=5e-3, atol=5e-2)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection", "mirror", "circular", "fill"])
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_the_image_has_the_adjoint_of_a_linear_map(name, padding):
    torch.manual_seed(0)
    family = stnkit.build("transform", "affine")
    sampler = stnkit.build("sampler", name, padding=padding)
    theta = family.identity().float() + 0.3 * torch.randn(3, 6)
    image, upstream = torch.randn(3, 4, 19, 23, requires_grad=True), torch.randn(3, 4, 30, 11)
    output = stnkit.warp(family, theta, image, sampler, (30, 11))
    (gradient,) = torch.autograd.grad(output, image, upstream)
    # ⟨A U, G⟩ = ⟨U, Aᵀ G⟩
    expected = (output.detach().double() * upstream).sum()
    torch.testing.assert_close((gradient.double() * image.detach()).sum(), expected, rtol=1e-5, atol=1e-4)
