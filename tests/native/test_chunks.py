"""Grids of flows in chunks of the batch: the same warp, and a fraction of the memory."""

import pytest
import torch

import stnkit
from stnkit.errors import InputError
from tests.native.cases import needs_library

pytestmark = [pytest.mark.no_jaxtyping, needs_library]
SIZE = (130, 131)


def drawn(transform, dtype=torch.float32, n=17):
    family, generator = stnkit.build("transform", transform), torch.Generator().manual_seed(0)
    theta = 0.1 * torch.randn(n, family.n_params, generator=generator)
    return family, theta, torch.rand(n, 2, 20, 21, generator=generator).to(dtype)


def passes():
    return stnkit.native.passes().forward


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("transform", ["cpab", "velocity"])
def test_a_warp_in_chunks_is_that_of_the_whole_grid(transform, dtype, memory_format):
    family, theta, image = drawn(transform, dtype)
    image, sampler = image.to(memory_format=memory_format), stnkit.build("sampler", "bilinear", padding="border")
    before = passes()
    found = stnkit.warp(family, theta, image, sampler, SIZE)
    assert passes() - before > 1
    assert found.dtype is dtype
    assert found.is_contiguous(memory_format=memory_format)
    expected = sampler(image, family.grid(theta, SIZE))
    # The coefficients of a chunk are rounded by another product.
    torch.testing.assert_close(found, expected, atol=1e-4 if dtype is torch.float32 else 8e-3, rtol=0)


def test_a_gradient_takes_the_whole_grid():
    family, theta, image = drawn("cpab")
    before = passes()
    stnkit.warp(family, theta.requires_grad_(), image, stnkit.build("sampler", "bilinear"), SIZE)
    assert passes() - before == 1


class Scaled(stnkit.TransformFamily):
    """T_θ(p) = scale · p + θ with a learned scale, its grids in a dtype of its own."""

    n_params = 2

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.scale, self.dtype = torch.nn.Parameter(torch.tensor(0.5)), dtype

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return self.scale * points + theta[:, None]

    @stnkit.families.image_by_image
    def _grid(self, theta, size):
        return super()._grid(theta, size).to(self.dtype)


def drawn_for_scaled(dtype):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(17, 2, generator=generator), torch.rand(17, 2, 20, 21, generator=generator).to(dtype)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("grid_dtype", [torch.float32, torch.float64])
def test_a_grid_of_any_dtype_is_read_in_chunks(grid_dtype, dtype, memory_format):
    family, (theta, image) = Scaled(grid_dtype).requires_grad_(False), drawn_for_scaled(dtype)
    image, sampler = image.to(memory_format=memory_format), stnkit.build("sampler", "bilinear")
    found = stnkit.warp(family, theta, image, sampler, SIZE)
    assert found.dtype is dtype
    assert found.is_contiguous(memory_format=memory_format)
    expected = torch.cat([stnkit.warp(family, theta[i : i + 1], image[i : i + 1], sampler, SIZE) for i in range(17)])
    torch.testing.assert_close(found, expected, atol=1e-5 if dtype is torch.float32 else 8e-3, rtol=0)


def test_what_a_family_has_learned_gets_its_gradient():
    family, (theta, image) = Scaled(), drawn_for_scaled(torch.float32)
    sampler, before = stnkit.build("sampler", "bilinear"), passes()
    stnkit.warp(family, theta, image, sampler, SIZE).square().sum().backward()
    assert passes() - before == 1
    found, family.scale.grad = family.scale.grad, None
    sampler(image, family.grid(theta, SIZE)).square().sum().backward()
    assert found.abs() > 1
    torch.testing.assert_close(found, family.scale.grad)


def test_a_tensor_of_no_module_gets_its_gradient():
    family, (theta, image) = Scaled().requires_grad_(False), drawn_for_scaled(torch.float32)
    sampler, outside = stnkit.build("sampler", "bilinear"), torch.tensor(1.0, requires_grad=True)
    family.forward = lambda theta, points: outside * points + theta[:, None]
    stnkit.warp(family, theta, image, sampler, SIZE).square().sum().backward()
    found, outside.grad = outside.grad, None
    sampler(image, family.grid(theta, SIZE)).square().sum().backward()
    torch.testing.assert_close(found, outside.grad)


def test_other_families_take_the_whole_grid():
    family, theta, image = drawn("bspline")
    before = passes()
    stnkit.warp(family, theta, image, stnkit.build("sampler", "bilinear"), SIZE)
    assert passes() - before == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [({"size": (0, 5)}, "size: expected"), ({"theta": torch.zeros(17, 3)}, "expected theta of shape")],
    ids=["size", "theta"],
)
def test_bad_input_is_refused_as_by_grid(change, message):
    family, theta, image = drawn("cpab")
    given = {"theta": theta, "size": SIZE, **change}
    with pytest.raises(InputError) as caught:
        stnkit.warp(family, given["theta"], image, stnkit.build("sampler", "bilinear"), given["size"])
    with pytest.raises(InputError) as expected:
        family.grid(given["theta"], given["size"])
    assert str(caught.value) == str(expected.value)
