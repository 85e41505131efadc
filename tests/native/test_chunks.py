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
