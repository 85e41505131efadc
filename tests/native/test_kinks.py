"""Source points exactly at the centers of pixels, where the gradient is the derivative from the right."""

import pytest
import torch

import stnkit
from stnkit import native
from tests.native.cases import needs_library

pytestmark = [pytest.mark.no_jaxtyping, needs_library]

# The source points of all are whole numbers or, for the zooms, halves and quarters in pixels: exact in float32 where
# the sizes are powers of two.
MAPS = {
    "identity": [1, 0, 0, 0, 1, 0],
    "mirror": [-1, 0, 0, 0, 1, 0],
    "half turn": [-1, 0, 0, 0, -1, 0],
    "shift by a pixel": [1, 0, 2 / 16, 0, 1, -2 / 16],
    "quarter turn": [0, -1, 0, 1, 0, 0],
    "zoom in": [0.5, 0, 0, 0, 0.5, 0],
    "zoom out": [2, 0, 0, 0, 2, 0],
    "constant": [0, 0, 1 / 16, 0, 0, 1 / 16],
}


def answers(family, numbers, image, sampler, upstream):
    theta = torch.tensor([numbers], dtype=image.dtype).expand(len(image), -1).clone().requires_grad_()
    leaf = image.clone().requires_grad_()
    output = stnkit.warp(family, theta, leaf, sampler, upstream.shape[2:])
    return (output.detach(), *torch.autograd.grad(output, (theta, leaf), upstream.to(output.dtype)))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection", "mirror", "circular", "fill"])
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
@pytest.mark.parametrize("numbers", MAPS.values(), ids=MAPS)
@pytest.mark.parametrize("transform", ["affine", "projective"])
def test_kinks_are_those_of_the_composite(transform, numbers, name, padding, memory_format):
    torch.manual_seed(0)
    family = stnkit.build("transform", transform)
    sampler = stnkit.build("sampler", name, padding=padding, **({"fill_value": 0.5} if padding == "fill" else {}))
    image = torch.randn(2, 3, 16, 16).to(memory_format=memory_format)
    upstream = torch.randn(2, 3, 16, 16)
    numbers = numbers if transform == "affine" else [*numbers, 0, 0]
    found = answers(family, numbers, image, sampler, upstream)
    with native.disabled():
        expected = answers(family, numbers, image.double(), sampler, upstream)
    # The gradient to θ is a sum of about 6,000 in absolute values: the tolerance is 1e-7 of that.
    for ours, theirs, atol in zip(found, expected, (1e-5, 6e-4, 1e-5), strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=atol)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
@pytest.mark.parametrize("numbers", MAPS.values(), ids=MAPS)
@pytest.mark.parametrize("transform", ["affine", "projective"])
def test_a_slope_of_fill_is_that_of_the_difference(transform, numbers, name, channels, memory_format):
    torch.manual_seed(0)
    family = stnkit.build("transform", transform)
    image = torch.randn(2, channels, 16, 16).to(memory_format=memory_format)
    upstream = torch.randn(2, channels, 16, 16)
    numbers = numbers if transform == "affine" else [*numbers, 0, 0]
    filled = stnkit.build("sampler", name, padding="fill", fill_value=0.5)
    _, found, _ = answers(family, numbers, image, filled, upstream)
    with native.disabled():
        zeros = stnkit.build("sampler", name)
        _, expected, _ = answers(family, numbers, image.double() - 0.5, zeros, upstream)
    # A sum of about 2,000 for each channel, in absolute values.
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=2e-4 * channels)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2), (7, 3), (49, 27), (33, 131)])
@pytest.mark.parametrize("transform", ["affine", "projective", "translation", "similarity"])
def test_the_identity_is_exact_with_slopes_from_the_right(transform, size):
    torch.manual_seed(0)
    family, sampler = stnkit.build("transform", transform), stnkit.build("sampler", "bilinear")
    image, upstream = torch.randn(2, 3, *size), torch.randn(2, 3, *size)
    identity = family.identity().tolist()
    output, of_theta, of_image = answers(family, identity, image, sampler, upstream)
    assert torch.equal(output, image)
    assert torch.equal(of_image, upstream)

    # V(x) = U at a center, and U of the next pixel minus U just right of it; outside is 0.
    exact = image.double()
    next_x = torch.nn.functional.pad(exact, [0, 1])[..., 1:] - exact
    next_y = torch.nn.functional.pad(exact, [0, 0, 0, 1])[..., 1:, :] - exact
    slopes = torch.stack([next_x * size[1] / 2, next_y * size[0] / 2], dim=-1)
    of_grid = (upstream.double()[..., None] * slopes).sum(dim=1)
    theta = family.identity().expand(2, -1).clone().requires_grad_()
    (expected,) = torch.autograd.grad(family.grid(theta, size), theta, of_grid)
    torch.testing.assert_close(of_theta.double(), expected, rtol=1e-5, atol=1e-4)
