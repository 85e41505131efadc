"""The same bits for every number of threads and in every run."""

import pytest
import torch

import stnkit
from tests.native.cases import needs_library

pytestmark = [pytest.mark.no_jaxtyping, needs_library]

SHAPES = {
    "many small": (9, 1, 28, 28),
    "one plane": (1, 1, 300, 260),
    "one large": (1, 3, 200, 310),
    "channels": (2, 16, 40, 40),
    "one small": (1, 3, 40, 40),
    "odd": (1, 1, 37, 41),
}


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def answers(family, theta, image, sampler, upstream):
    theta, image = theta.clone().requires_grad_(), image.clone().requires_grad_()
    output = stnkit.warp(family, theta, image, sampler)
    return (output.detach(), *torch.autograd.grad(output, (theta, image), upstream))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("sampler", [("bilinear", "zeros"), ("bilinear", "circular"), ("bicubic", "fill")])
@pytest.mark.parametrize("transform", ["affine", "projective", "tps", "bspline", "displacement", "piecewise_affine"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_bits_do_not_depend_on_the_threads(shape, transform, sampler, memory_format, threads):
    torch.manual_seed(0)
    family = stnkit.build("transform", transform)
    sampler = stnkit.build("sampler", sampler[0], padding=sampler[1])
    theta = family.identity().float() + 0.05 * torch.randn(shape[0], family.n_params)
    image, upstream = (torch.randn(shape).to(memory_format=memory_format) for _ in range(2))
    found = []
    for count in (1, 2, 3, 2):
        threads(count)
        found.append(answers(family, theta, image, sampler, upstream))
    for again in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], again, strict=True))
