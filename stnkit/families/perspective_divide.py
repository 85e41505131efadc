"""n / w in front of the horizon w = 0, and outside of every image on it and behind it."""

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.autograd import forward_ad

from stnkit.coordinates import OUTSIDE
from stnkit.families.axis_sums import may_be_seen

# A point this close to the horizon, or behind it, has no source. (1 is the w of the identity.)
HORIZON = 1e-6
# Where w is at least this everywhere, and nothing that is divided by it larger than this times OUTSIDE, the quotient
# needs no guard.
FRONT = 1e-2
# What is divided by w is kept below this, so that even its gradient, n / w² with w at the horizon, is finite
# in float32: 0 times an infinity that nobody reads would be NaN.
LARGE = 1e20


def known_in_front(matrix: Float[Tensor, "B rows rows"]) -> bool:
    """Whether all matrices are seen to keep [-1, 1] so far in front of the horizon that no quotient has to be bounded.

    As near the identity, where training is.

    Args:
        matrix: homogeneous.
    """
    if not may_be_seen(matrix):
        return False
    try:
        low, high = (bound.tolist() for bound in torch.aminmax(matrix.detach(), dim=0))
    except (RuntimeError, IndexError):
        return False  # under torch.func, and for no matrices at all
    limit = FRONT * OUTSIDE / len(low)
    # So that what is NaN is not within.
    if not all(-limit <= a and b <= limit for a, b in zip(itertools.chain(*low), itertools.chain(*high), strict=True)):
        return False
    # w = g·x + h·y + c is at least min c − max |g| − max |h|, over the batch.
    *slopes, (constant, _) = zip(low[-1], high[-1], strict=True)
    return bool(constant - sum(max(-a, b) for a, b in slopes) >= FRONT)


def plain_quotient(numerator: Float[Tensor, "B ndim *size"], w: Float[Tensor, "B 1 *size"]) -> Tensor:
    """The quotient n / w without a guard; without a gradient in the memory of n.

    Args:
        numerator: n.
        w: in front of the horizon.
    """
    return _quotient(numerator, w) if _has_gradient(numerator, w) else numerator.div_(w)


def divide(numerator: Float[Tensor, "B ndim *size"], w: Float[Tensor, "B 1 *size"]) -> Tensor:
    """The quotient n / w in front of the horizon, else outside; without a gradient in the memory of both.

    Args:
        numerator: n, between ± `LARGE`.
        w: of any sign.
    """
    if _has_gradient(numerator, w):
        # The quotient is formed with a safe divisor, or its gradient would be NaN where it is not used.
        front = w > HORIZON
        quotient = _quotient(numerator, torch.where(front, w, 1.0))
        return torch.where(front, quotient.clamp(-OUTSIDE, OUTSIDE), OUTSIDE)
    # hardtanh_ is clamp_, which has no batching rule under vmap.
    quotient = numerator.div_(torch.threshold_(w, HORIZON, torch.nan))
    return F.hardtanh_(quotient, -OUTSIDE, OUTSIDE).nan_to_num_(nan=OUTSIDE)


def _has_gradient(numerator: Tensor, w: Tensor) -> bool:
    # Under vmap a tensor does not say whether what it is a part of has one, and forward mode asks nobody.
    if torch._C._functorch.maybe_current_level() is not None or forward_ad._current_level >= 0:
        return True
    return torch.is_grad_enabled() and (numerator.requires_grad or w.requires_grad)


def _quotient(numerator: Tensor, w: Tensor) -> Tensor:
    # What traces a program finds the gradient of the plain quotient by itself.
    if torch.compiler.is_compiling():
        return numerator / w
    quotient: Tensor = _Quotient.apply(numerator, w)  # type: ignore[no-untyped-call]
    return quotient


class _Quotient(torch.autograd.Function):
    """n / w with a gradient in few passes, all along the rows of a plane.

    A sampler hands its gradient over with the coordinates last, next to which w has no neighbor: divided as it is, it
    takes four times as long.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(numerator: Tensor, w: Tensor) -> Tensor:
        return numerator / w

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output, inputs[1])
        ctx.save_for_forward(output, inputs[1])

    @staticmethod
    def jvp(ctx: Any, numerator: Tensor, w: Tensor) -> Tensor:
        quotient, divisor = ctx.saved_tensors
        return (numerator - quotient * w) / divisor

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        quotient, divisor = ctx.saved_tensors
        of_numerator = gradient.contiguous() / divisor
        of_w = -of_numerator[:, :1] * quotient[:, :1]
        for k in range(1, quotient.shape[1]):
            of_w = torch.addcmul(of_w, of_numerator[:, k : k + 1], quotient[:, k : k + 1], value=-1)
        return of_numerator, of_w
