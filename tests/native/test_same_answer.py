"""The native path against the composite in float64: values and both gradients, within the error of float32.

A source point is known up to `Case.off`, the roundings of its terms. Where the gradient jumps (at the centers and edges
of pixels) within that error, either side is right, so the upstream gradient is zero there; the identity, whose points
all lie at kinks, has a test of its own.
"""

import os

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import stnkit
from stnkit import coordinates, native
from stnkit.samplers.padding import wrapped
from tests.native.cases import Count, needs_library
from tests.native.drawn import EPS, UNFILLED, UNKNOWN, Case, cases

pytestmark = [pytest.mark.no_jaxtyping, needs_library]

# Σ|k'| over the taps of one axis: the slope of V in units of the range of the image, which the mixed derivative bounds
# too.
SLOPE = {"bilinear": 1.0, "bicubic": 3.0}
# Pixels on each side of a tap in which all taps of its point lie.
REACH = {"bilinear": 1, "bicubic": 3}
KINDS = ["affine", "projective", "grid"]
PADDINGS = ["zeros", "border", "reflection", "mirror", "circular", "fill"]
# `STNKIT_WARPS=500` tries as many for each test.
EXAMPLES = settings(
    max_examples=int(os.environ.get("STNKIT_WARPS", "16")), suppress_health_check=[HealthCheck.too_slow]
)


def gradients(case: Case, theta: Tensor, image: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output, gradient to θ and gradient to the image."""
    theta, image = theta.detach().requires_grad_(), image.detach().requires_grad_()
    output = case.warp(theta, image)
    return (output.detach(), *torch.autograd.grad(output, (theta, image), upstream.to(output.dtype)))


def check(case: Case) -> None:
    """The native answer is that of the composite in float64."""
    off, pixels = case.off(), case.pixels()
    known = (off < UNKNOWN).all(dim=-1)
    kinked = ((2 * pixels - (2 * pixels).round()).abs() <= 2 * off).any(dim=-1) | case.hardly_outside()
    upstream = case.upstream * (known & ~kinked)[:, None]
    upstream = upstream.to(case.image.dtype).float()  # what a half image gets
    with pytest.MonkeyPatch.context() as patched:
        calls = Count(patched)
        found = gradients(case, case.theta, case.image, upstream)
    assert (calls.forward, calls.backward) == (1, 1)
    with native.disabled():
        exact = gradients(case, case.theta.double(), case.image.double(), upstream)
    name = str(case.sampling["name"])
    image, weight = case.image.double(), upstream.abs().double()
    fill = case.sampling.get("fill_value", 0.0)  # one of many channels has larger ones than the image
    largest = max(float(image.abs().max()), 2.0, *(fill if isinstance(fill, list) else [fill]))
    contrast = 2 * largest
    half = torch.finfo(case.image.dtype).eps if case.image.dtype is not torch.float32 else 0.0

    output, of_theta, of_image = (tensor.double() for tensor in found)
    error, moved = (output - exact[0]).abs().amax(dim=1), off.sum(dim=-1)
    allowed = (
        SLOPE[name] * moved * contrast
        + ((8 + UNFILLED * (case.sampling["padding"] == "fill")) * EPS + half) * SLOPE[name] * largest
    )
    assert output.isfinite().all()
    assert (error[known] <= allowed[known]).all(), f"value off by {error[known].max()}"

    extent = torch.tensor([image.shape[3], image.shape[2]], dtype=torch.float64) / 2
    jacobian = off / (extent * (1 + case.grid().abs()))
    wrong = 2 * SLOPE[name] * moved[..., None] + 4 * jacobian + 64 * EPS
    slopes = SLOPE[name] * contrast * weight.sum(dim=1)[..., None] * extent * wrong
    allowed = of_terms(case, torch.where(known[..., None], slopes, 0.0))
    assert of_theta.isfinite().all()
    error = (of_theta - exact[1]).abs()
    assert (error <= allowed + 1e-30).all(), f"gradient to theta off by {error.max()}"

    # How much can have been scattered to each pixel wrongly.
    wrong = torch.where(known, 2 * SLOPE[name] * moved + 16 * EPS, 0.0)[:, None] * weight
    padding = str(case.sampling["padding"])
    sampler = stnkit.build("sampler", "bilinear", padding={"zeros": "border", "fill": "border"}.get(padding, padding))
    leaf = torch.zeros_like(image, requires_grad=True)
    with native.disabled():
        (scattered,) = torch.autograd.grad(sampler(leaf, case.grid()), leaf, wrong)
    margin = REACH[name]
    around = torch.nn.functional.avg_pool2d(wrapped(scattered, margin), 2 * margin + 1, stride=1)
    error = (of_image - exact[2]).abs()
    allowed = around * (2 * margin + 1) ** 2 + half * exact[2].abs() + torch.finfo(case.image.dtype).tiny
    assert (error <= allowed + 1e-30).all(), f"gradient to the image off by {error.max()}"


def of_terms(case: Case, slopes: Tensor) -> Tensor:
    """The sum over points of |∂p/∂θ| · slope for each entry of θ, which bounds its gradient."""
    if case.family is None:
        return slopes
    points = coordinates.lattice(case.size, dtype=torch.float64)
    points = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)
    w = torch.einsum("nrk,hwk->nhwr", case.family.matrix(case.theta.double()), points)[..., 2:].nan_to_num(1e-30)
    over_w = slopes / w.abs().clamp(min=1e-6)
    rows = torch.einsum("nhwr,hwk->nrk", over_w, points.abs())
    if case.family.affine:
        return rows.flatten(1)
    # The last row sees the source point too, whose own error is a share of at most 1/16 of a slope's.
    last = torch.einsum("nhwr,nhwr,hwk->nk", over_w, case.grid().abs() + 1 / 16, points.abs())[:, :2]
    return torch.cat([rows.flatten(1), last], dim=1)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_bilinear_is_the_composite_in_float64(kind, padding):
    EXAMPLES(given(cases(kind, padding=padding))(check))()


@pytest.mark.slow
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_bicubic_is_the_composite_in_float64(kind, padding):
    kernels = st.sampled_from([-0.75, -0.5])
    EXAMPLES(given(kernels.flatmap(lambda a: cases(kind, name="bicubic", padding=padding, a=a)))(check))()
