"""The flow of an affine field x' = v₀ + A (x − x₀) of two dimensions, in closed form, and its first exit."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# A step of time h has h ‖A‖ of at most this. So the slope of a barrier along it vanishes once at most, and the series
# below converge in a few terms.
REACH = 1.0
# Terms of the series for float32 and float64: the first that is left out is below the rounding error.
TERMS = {torch.float32: 10, torch.float64: 18}
# Newton steps, each within a bracket that halves where a step would leave it, and units in the last place to within
# which they are repeated.
ROOT_STEPS, ROUNDING = 60, 16
# Share of a velocity below which its component across a barrier counts as rounding.
TANGENT = {torch.float32: 1e-5, torch.float64: 1e-12}


class Field(NamedTuple):
    """v(P, M) = w₀ + P w₁ + M w₂ of each of n points, in the chart of its region.

    Args:
        velocity: at the point, v₀.
        change: A v₀, with the columns w₁ and w₂ of A.
        trace: of A.
        determinant: of A.
        norm: of A, Frobenius's.
    """

    velocity: Float[Tensor, "n 2"]
    change: Float[Tensor, "n 2"]
    trace: Float[Tensor, "n"]
    determinant: Float[Tensor, "n"]
    norm: Float[Tensor, "n"]


def field_at(coefficients: Float[Tensor, "n 6"], chart: Float[Tensor, "n 2"]) -> Field:
    """The field around each point.

    Args:
        coefficients: w₀, w₁, w₂ of the region of the point.
        chart: (P, M).
    """
    constant, first, second = coefficients.view(-1, 3, 2).unbind(dim=1)
    velocity = constant + first * chart[:, :1] + second * chart[:, 1:]
    change = first * velocity[:, :1] + second * velocity[:, 1:]
    determinant = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    norm = coefficients[:, 2:].detach().norm(dim=1)
    return Field(velocity, change, first[:, 0] + second[:, 1], determinant, norm)


def series(
    time: Float[Tensor, "*n"], trace: Float[Tensor, "*n"], determinant: Float[Tensor, "*n"]
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """α and β with ∫₀ᵗ exp(sA) ds = α I + β A, smooth at equal eigenvalues too; exp(tA) = (1 − βD) I + (α + βT) A.

    By Cayley and Hamilton (tA)ᵏ = p I + r tA, with (p, r) ← (−t²D r, p + tT r) from one k to the next.

    Args:
        time: t, with |t| ‖A‖ of at most `REACH`.
        trace: T, of A.
        determinant: D, of A.
    """
    first, second = time * trace, -time.square() * determinant
    p, r = torch.ones_like(time), torch.zeros_like(time)
    alpha, beta = p, r
    for k in range(1, TERMS[time.dtype]):
        p, r = second * r / k, (p + first * r) / k
        alpha, beta = alpha + p / (k + 1), beta + r / (k + 1)
    return time * alpha, time.square() * beta


def barriers(
    chart: Float[Tensor, "n 2"], field: Field, slopes: Float[Tensor, "n 2"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """The three barriers, P, M and 1 − κP − μM, at each point, and their first and second derivative in time.

    Args:
        chart: (P, M).
        field: at the point.
        slopes: κ and μ.
    """
    values = [torch.cat([t, -(slopes * t).sum(1, keepdim=True)], dim=1) for t in (chart, field.velocity, field.change)]
    one = values[0].new_tensor([0.0, 0.0, 1.0])
    return values[0] + one, values[1], values[2]


def first_exit(
    chart: Float[Tensor, "n 2"],
    field: Field,
    slopes: Float[Tensor, "n 2"],
    step: Float[Tensor, "n"],
    stuck: Bool[Tensor, "n"],
) -> tuple[Float[Tensor, "n"], Tensor]:
    """The time at which each point leaves its region, and by which barrier; the step and −1 where it does not.

    A point on a barrier, or by rounding behind it, leaves through it where the field points outward, at once.

    Args:
        chart: (P, M).
        field: at the point.
        slopes: κ and μ.
        step: the time that is looked at, within `REACH`.
        stuck: True to look over the barriers that the point is on.
    """
    level, slope, bend = barriers(chart, field, slopes)
    on = level <= 0
    # Two regions see a slope with opposite signs, but for its rounding; then the end of the step decides.
    tangent = slope.abs() <= TANGENT[slope.dtype] * field.velocity.abs().sum(dim=1, keepdim=True)
    level = level.clamp_min(0)
    value, end_slope = _along(step[:, None], level, slope, bend, field)
    crossed = value < 0
    at_once = on & torch.where(tangent, crossed, slope < 0)
    crossed &= ~(on & (tangent | (slope < 0)))
    at_once &= ~stuck[:, None]
    dipping = ~on & ~crossed & (slope < 0) & (end_slope > 0)
    high = step[:, None].expand_as(level).clone()
    rows, columns = dipping.nonzero(as_tuple=True)
    if len(rows):
        picked = Field(*(t[rows] for t in field))
        # The slope is the solution of the same equation as the level, one derivative up.
        third = picked.trace * bend[rows, columns] - picked.determinant * slope[rows, columns]
        triple = slope[rows, columns], bend[rows, columns], third
        lowest = _root(triple, picked, high[rows, columns], torch.zeros_like(triple[0], dtype=torch.bool))
        high[rows, columns] = lowest
        found, _ = _along(lowest, level[rows, columns], slope[rows, columns], bend[rows, columns], picked)
        crossed[rows, columns] = found < 0
    rows, columns = crossed.nonzero(as_tuple=True)
    times = torch.where(at_once, 0.0, torch.full_like(level, torch.inf))
    if len(rows):
        picked = Field(*(t[rows] for t in field))
        triple = level[rows, columns], slope[rows, columns], bend[rows, columns]
        times[rows, columns] = _root(triple, picked, high[rows, columns], on[rows, columns])
    earliest, barrier = times.min(dim=1)
    leaves = earliest <= step
    return torch.where(leaves, earliest, step), torch.where(leaves, barrier, -1)


def _along(time: Tensor, level: Tensor, slope: Tensor, bend: Tensor, field: Field) -> tuple[Tensor, Tensor]:
    """A barrier and its slope after a time."""
    trace, determinant = (t.view(-1, *[1] * (level.ndim - 1)) for t in (field.trace, field.determinant))
    time, trace, determinant = torch.broadcast_tensors(time, trace, determinant)  # type: ignore[no-untyped-call]
    alpha, beta = series(time, trace, determinant)
    # No product with an infinite level or a rounded zero: a point far outside stays where it is.
    return level + (alpha * slope + beta * bend), (1 - beta * determinant) * slope + (alpha + beta * trace) * bend


def _root(
    triple: tuple[Tensor, Tensor, Tensor], field: Field, high: Float[Tensor, "n"], on: Bool[Tensor, "n"]
) -> Float[Tensor, "n"]:
    """The time in [0, high] at which a function with the derivatives `triple` at 0 changes its sign.

    Newton's method within a bracket; where the function is 0 at 0 and the other zero is wanted, on it over the time.
    """
    low, start = torch.zeros_like(high), triple[0] < 0
    time = high
    for _ in range(ROOT_STEPS):
        value, slope = _along(time, *triple, field)
        beyond = (value < 0) != start
        low, high = torch.where(beyond, low, time), torch.where(beyond, time, high)
        step = value / (slope - torch.where(on, value / time, 0.0))
        newton = time - step
        inside = (newton > low) & (newton < high)
        following = torch.where(inside, newton, (low + high) / 2)
        settled = bool(((following - time).abs() <= ROUNDING * torch.finfo(time.dtype).eps * high).all())
        time = following
        if settled:
            break
    return time
