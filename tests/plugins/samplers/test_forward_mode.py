"""Forward-mode AD of samplers, without an option."""

import pytest
import torch
from torch.autograd import forward_ad

import stnkit
from tests.samplers.oracles import PADDINGS, padding_options, random_grid, random_image

# The warning comes from torch's first forward-mode derivative.
pytestmark = [pytest.mark.no_jaxtyping, pytest.mark.filterwarnings("ignore:`torch.jit.script`")]
STEP = 1e-6


def numeric(f, at, direction):
    return (f(at + STEP * direction) - f(at - STEP * direction)) / (2 * STEP)


def drawn_like(tensor):
    return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(5), dtype=tensor.dtype)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(5, 8), (3, 4, 5)])
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_a_derivative_is_that_of_differences(name, size, padding):
    sampler = stnkit.build("sampler", name, **padding_options(padding))
    image, grid = random_image(size), random_grid(len(size))
    for f, at in ((lambda x: sampler(image, x), grid), (lambda x: sampler(x, grid), image)):
        direction = drawn_like(at)
        value, found = torch.func.jvp(f, (at,), (direction,))
        torch.testing.assert_close(value, f(at), atol=1e-12, rtol=0)
        torch.testing.assert_close(found, numeric(f, at, direction), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("padding", ["zeros", "fill", "reflection"])
@pytest.mark.parametrize("transform", ["affine", "projective", "tps"])
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_a_warp_has_the_derivative_of_its_gradient(name, transform, padding, dtype):
    family = stnkit.build("transform", transform)
    sampler = stnkit.build("sampler", name, **padding_options(padding))
    theta = (family.identity()[None] + 0.03 * drawn_like(family.identity()[None])).to(dtype)
    image = random_image((6, 7), batch=1).to(dtype)
    arguments, directions = (theta, image), (drawn_like(theta), drawn_like(image))
    _, found = torch.func.jvp(lambda t, u: stnkit.warp(family, t, u, sampler), arguments, directions)
    rows, columns = torch.autograd.functional.jacobian(lambda t, u: stnkit.warp(family, t, u, sampler), arguments)
    expected = (rows * directions[0]).sum(dim=(-2, -1)) + (columns * directions[1]).sum(dim=(-4, -3, -2, -1))
    torch.testing.assert_close(found, expected, atol=1e-10 if dtype == torch.float64 else 1e-4, rtol=1e-4)
    with forward_ad.dual_level():
        duals = [forward_ad.make_dual(a, d) for a, d in zip(arguments, directions, strict=True)]
        tangent = forward_ad.unpack_dual(stnkit.warp(family, *duals, sampler)).tangent
    torch.testing.assert_close(tangent, found)


@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_hessians_by_forward_over_reverse_are_right(name):
    family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", name)
    again = stnkit.build("sampler", name, double_backward=True)
    theta, image = family.identity() + 0.03 * drawn_like(family.identity()), random_image((6, 7), batch=1)

    def energy(sampler):
        return lambda t: stnkit.warp(family, t[None], image, sampler).square().sum()

    found = torch.func.hessian(energy(sampler))(theta)
    torch.testing.assert_close(found, torch.autograd.functional.hessian(energy(again), theta))


def test_the_nearest_pixel_has_the_derivative_of_its_image_alone():
    sampler, image, grid = (
        stnkit.build("sampler", "nearest", padding="fill", fill_value=3.0),
        random_image((5, 8)),
        random_grid(2),
    )
    value, found = torch.func.jvp(sampler, (image, grid), (drawn_like(image), drawn_like(grid)))
    assert torch.equal(value, sampler(image, grid))
    expected = stnkit.build("sampler", "nearest")(drawn_like(image), grid)
    assert torch.equal(found, expected)


def test_multisampling_has_its_own_slope_in_forward_mode_too():
    sampler, image, grid = stnkit.build("sampler", "multisample"), random_image((5, 8)), random_grid(2)
    direction = drawn_like(grid)
    _, found = torch.func.jvp(lambda points: sampler(image, points), (grid,), (direction,))
    slopes = torch.autograd.functional.jacobian(lambda points: sampler(image, points), grid)
    torch.testing.assert_close(found, (slopes * direction).flatten(-4).sum(dim=-1))
    assert found.abs().max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bilinear", "bicubic"])
def test_a_compiled_derivative_is_the_same(name):
    family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", name)
    theta, image = family.identity()[None] + 0.03, random_image((6, 7), batch=1)

    def derivative(theta):
        return torch.func.jvp(lambda t: stnkit.warp(family, t, image, sampler), (theta,), (torch.ones_like(theta),))[1]

    torch.compiler.reset()
    compiled = torch.compile(derivative, backend="aot_eager")
    torch.testing.assert_close(compiled(theta), derivative(theta))
