"""The perspective division n / w: outside of every image on the horizon w = 0 and behind it, with finite gradients."""

import itertools
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stnkit.coordinates import OUTSIDE
from stnkit.families.tracing import is_dual_twice, needs_gradient, values_are_readable
from stnkit.portable import chosen, is_exported

# A point this close to the horizon, or behind it, has no source. (1 is the w of the identity.)
HORIZON = 1e-6
# The quotient needs no guard where w is at least this everywhere, and the numerator at most this times OUTSIDE.
FRONT = 1e-2
# Bound of the numerator: even the gradient n / w² with w at the horizon is then finite in float32, where 0 times an
# infinity that nobody reads would be NaN.
LARGE = 1e20


def known_in_front(matrix: Float[Tensor, "B rows rows"]) -> bool:
    """True if all matrices are read and keep [-1, 1] so far in front of the horizon that no quotient needs a bound.

    That is the case near the identity, where training is.

    Args:
        matrix: homogeneous.
    """
    if not values_are_readable(matrix):
        return False
    try:
        low, high = (bound.tolist() for bound in torch.aminmax(matrix.detach(), dim=0))
    except (RuntimeError, IndexError):
        return False  # under torch.func, and for no matrices at all
    limit = FRONT * OUTSIDE / len(low)
    # In this form a NaN is not within.
    if not all(-limit <= a and b <= limit for a, b in zip(itertools.chain(*low), itertools.chain(*high), strict=True)):
        return False
    # w = g·x + h·y + c is at least min c − max |g| − max |h|, over the batch.
    *slopes, (constant, _) = zip(low[-1], high[-1], strict=True)
    return bool(constant - sum(max(-a, b) for a, b in slopes) >= FRONT)


def plain_quotient(numerator: Float[Tensor, "B ndim *size"], w: Float[Tensor, "B 1 *size"]) -> Tensor:
    """The quotient n / w without a guard; in place where no gradient is needed.

    Args:
        numerator: n.
        w: in front of the horizon.
    """
    return _quotient(numerator, w) if needs_gradient(numerator, w) else numerator.div_(w)


def divide(numerator: Float[Tensor, "B ndim *size"], w: Float[Tensor, "B 1 *size"]) -> Tensor:
    """The quotient n / w in front of the horizon, else outside; in place where no gradient is needed.

    Args:
        numerator: n, between ± `LARGE`.
        w: of any sign.
    """
    if is_exported():  # without NaN, which MNN cannot tell, and a function of Python, which torch.jit cannot record
        quotient = (numerator / w.clamp(min=HORIZON)).clamp(-OUTSIDE, OUTSIDE)
        return chosen(w - HORIZON, quotient, OUTSIDE)
    if needs_gradient(numerator, w):
        # A safe divisor before the division, or the masked points would have NaN gradients.
        front = w > HORIZON
        quotient = _quotient(numerator, torch.where(front, w, 1.0))
        return torch.where(front, quotient.clamp(-OUTSIDE, OUTSIDE), OUTSIDE)
    # hardtanh_ is clamp_, which has no batching rule under vmap.
    quotient = numerator.div_(torch.threshold_(w, HORIZON, torch.nan))
    return F.hardtanh_(quotient, -OUTSIDE, OUTSIDE).nan_to_num_(nan=OUTSIDE)


def _quotient(numerator: Tensor, w: Tensor) -> Tensor:
    # A tracer derives the gradient of the plain quotient by itself; in a jvp within a jvp the rule of `_Quotient` would
    # lose the outer tangent.
    if torch.compiler.is_compiling() or is_dual_twice():
        return numerator / w
    quotient: Tensor = _Quotient.apply(numerator, w)  # type: ignore[no-untyped-call]
    return quotient


class _Quotient(torch.autograd.Function):
    """n / w with a gradient in few passes, all along the rows of a plane.

    A sampler returns its gradient with the coordinates last, a layout in which dividing by w takes four times as long.
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
