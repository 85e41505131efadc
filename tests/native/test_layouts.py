"""Images and grids of any dtype, memory format, strides and size."""

import pytest
import torch

import stnkit
from tests.native.cases import (
    affine,
    bilinear,
    close,
    composite,
    grid_of,
    image_of,
    inputs,
    needs_library,
    theta_of,
)

pytestmark = needs_library


@pytest.mark.parametrize("channels", [3, 9])
@pytest.mark.parametrize("sampler", ["bilinear", "bicubic"])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_dtype_and_memory_format_are_the_images(form, dtype, sampler, channels):
    family, theta, image = inputs("affine", channels=channels)
    image = image.detach().to(dtype).to(memory_format=form).requires_grad_()

    def work():
        out = stnkit.warp(family, theta, image, stnkit.build("sampler", sampler), (5, 4))
        return out, *torch.autograd.grad(out, (theta, image), image_of(*out.shape, seed=3).to(dtype))

    found = work()
    close(found, composite(work), 2e-4 if dtype is torch.float32 else 2e-2)
    assert found[0].is_contiguous(memory_format=form)
    assert found[2].is_contiguous(memory_format=form)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_half_image_is_that_of_float32_rounded_once(dtype):
    family, theta, image = inputs("affine")
    image, given = image.detach().to(dtype).requires_grad_(), image_of(2, 3, 5, 4, seed=3).to(dtype)
    out = stnkit.warp(family, theta, image, bilinear(), (5, 4))
    found = out, *torch.autograd.grad(out, (theta, image), given)
    exact = stnkit.warp(family, theta, image.float(), bilinear(), (5, 4))
    expected = exact, *torch.autograd.grad(exact, (theta, image), given.float())
    assert all(torch.equal(a, b.to(a.dtype)) for a, b in zip(found, expected, strict=True))


def test_a_half_image_is_saved_for_backward_as_it_is():
    family, theta, image = inputs("affine")
    image, saved = image.detach().half(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        stnkit.warp(family, theta, image, bilinear())
    assert any(tensor.data_ptr() == image.data_ptr() for tensor in saved)


@pytest.mark.parametrize("padding", ["border", "circular"])
def test_the_gradient_to_an_image_alone_has_the_same_bits(padding):
    family, theta, image = inputs("affine")
    sampler = bilinear(padding=padding)
    (alone,) = torch.autograd.grad(stnkit.warp(family, theta.detach(), image, sampler).square().sum(), image)
    both = torch.autograd.grad(stnkit.warp(family, theta, image, sampler).square().sum(), (image, theta))
    assert torch.equal(alone, both[0])


STRIDES = {
    "cropped": lambda x: x[:, :, 1:-1, 2:-1],
    "transposed": lambda x: x.mT,
    "every second": lambda x: x[:, ::2, ::2, ::2],
    "one for all": lambda x: x[:1].expand(2, -1, -1, -1),
    "one channel for all": lambda x: x[:, :1].expand(-1, 3, -1, -1),
}


@pytest.mark.parametrize("case", STRIDES)
def test_images_of_any_strides_are_read(case):
    base, theta = image_of(2, 4, 8, 9).requires_grad_(), theta_of(affine(), 2).requires_grad_()

    def work():
        out = stnkit.warp(affine(), theta, STRIDES[case](base), bilinear(), (5, 4))
        given = image_of(2, 1, 5, 4, seed=3).expand(out.shape)
        return out, *torch.autograd.grad(out, (theta, base), given)

    close(work(), composite(work))


GRIDS = {
    "planar": lambda g: g.movedim(-1, 1).contiguous().movedim(1, -1),
    "cropped": lambda g: g[:, 1:, 1:-1],
    "one for all": lambda g: g[:1].expand(2, -1, -1, -1),
    "one point": lambda g: g[:, :1, :1].expand(-1, 3, 4, -1),
    "one column": lambda g: g[:, :, 2:3],
    "one row": lambda g: g[:, 2:3],
    "swapped": lambda g: g.flip(-1).transpose(1, 2),
}


@pytest.mark.parametrize("case", GRIDS)
def test_grids_of_any_strides_are_read(case):
    image, base = image_of(2, 3, 5, 6).requires_grad_(), grid_of(2, 5, 6).requires_grad_()

    def work():
        out = bilinear()(image, GRIDS[case](base))
        return out, *torch.autograd.grad(out, (image, base), image_of(*out.shape, seed=3))

    close(work(), composite(work))


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 0, 4, 4)])
def test_empty_batches_have_empty_results(shape):
    family, image = affine(), torch.zeros(shape).requires_grad_()
    theta = theta_of(family, shape[0]).requires_grad_()
    out = stnkit.warp(family, theta, image, bilinear(), (3, 5))
    assert out.shape == (*shape[:2], 3, 5)
    out.sum().backward()
    assert theta.grad.eq(0).all()
    assert image.grad.shape == image.shape


def test_an_empty_grid_has_an_empty_result():
    image, grid = image_of(2, 3, 4, 5).requires_grad_(), grid_of(2, 4, 0).requires_grad_()
    out = bilinear()(image, grid)
    assert out.shape == (2, 3, 4, 0)
    out.sum().backward()
    assert image.grad.eq(0).all()
    assert grid.grad.shape == grid.shape


def test_autocast_changes_nothing():
    family, theta, image = inputs("affine")
    with torch.autocast("cpu", torch.bfloat16):
        out = stnkit.warp(family, theta, image, bilinear())
        expected = composite(stnkit.warp, family, theta, image, bilinear())
    close([out], [expected], 1e-5)


def test_a_warp_allocates_its_output_and_nothing_else():
    family, theta, image = affine(), theta_of(affine(), 2), image_of(2, 3, 128, 128)
    with torch.no_grad(), torch.profiler.profile(profile_memory=True) as profile:
        stnkit.warp(family, theta, image, bilinear())
    allocated = [e.self_cpu_memory_usage for e in profile.key_averages() if e.self_cpu_memory_usage > 0]
    assert allocated == [image.nbytes]
