"""Operations in a form that other runtimes have, for programs that are exported."""

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

# The slope of the step that stands for a comparison: it is 0 or 1 but for margins of less than 1e-12.
_STEEP = 1e12


def is_exported() -> bool:
    """True while a program is recorded for another runtime: by torch.export, torch.onnx or torch.jit.trace.

    Example:
        >>> is_exported()
        False
    """
    if torch.compiler.is_compiling():
        return torch.compiler.is_exporting()
    return is_scripted()


def is_scripted() -> bool:
    """True under torch.jit.trace, whose programs go on to runtimes without comparisons, such as ncnn."""
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return tracing


def clamped(values: Float[Tensor, "*any"], low: float, high: float, lost: float) -> Float[Tensor, "*any"]:
    """Values between `low` and `high`, with `lost` for NaN; exported by comparisons, since MNN has no IsNaN and IsInf.

    Args:
        values: any, finite or not.
        low: the lower bound.
        high: the upper bound.
        lost: one of both, for NaN.

    Example:
        >>> clamped(torch.tensor([-torch.inf, 0.5, torch.nan]), -1.0, 2.0, lost=2.0)
        tensor([-1.0000,  0.5000,  2.0000])
    """
    if not is_exported():
        return torch.nan_to_num(values, nan=lost, posinf=high, neginf=low).clamp(low, high)
    if lost == high:
        return torch.where(values <= high, values, high).clamp(min=low)
    return torch.where(values >= low, values, low).clamp(max=high)


def finite(values: Float[Tensor, "*any"], bound: float) -> Float[Tensor, "*any"]:
    """Values between ±`bound`, with `bound` for NaN; under torch.jit.trace NaN stays, since ncnn has no comparisons.

    Args:
        values: any, finite or not.
        bound: above 0.
    """
    if not is_exported():
        return torch.nan_to_num(values, nan=bound, posinf=bound, neginf=-bound).clamp(-bound, bound)
    return values.clamp(-bound, bound) if is_scripted() else clamped(values, -bound, bound, lost=bound)


def chosen(
    margin: Float[Tensor, "*any"], within: Float[Tensor, "*any"], beyond: float | Float[Tensor, "*any"]
) -> Float[Tensor, "*any"]:
    """`within` where the margin is above 0, else `beyond`; under torch.jit.trace by a steep ramp in place of a test.

    Args:
        margin: signed, broadcast to the others; of NaN `beyond` is chosen, but not under torch.jit.trace.
        within: finite.
        beyond: finite.

    Example:
        >>> chosen(torch.tensor([0.5, -0.5]), torch.ones(2), 7.0)
        tensor([1., 7.])
    """
    if not is_scripted():
        return torch.where(margin > 0, within, beyond)
    share = (margin * _STEEP).clamp(0, 1)
    return within * share + beyond * (1 - share)


def coordinates_last(planes: Float[Tensor, "B ndim *size"]) -> Float[Tensor, "B *size ndim"]:
    """A grid of the planes of its coordinates, without a copy: by a permutation, which pnnx takes and `movedim` not.

    Args:
        planes: all x, then all y (then all z).

    Example:
        >>> coordinates_last(torch.zeros(1, 2, 4, 5)).shape
        torch.Size([1, 4, 5, 2])
    """
    return planes.permute(0, *range(2, planes.ndim), 1)


def split_theta(theta: Float[Tensor, "B P"], sizes: Sequence[int]) -> tuple[Float[Tensor, "B part"], ...]:
    """θ in parts of given sizes; exported as slices, since ExecuTorch takes the results of a split for a fixed batch.

    Args:
        theta: one row of parameters for each element of the batch.
        sizes: of the parts, P together.

    Example:
        >>> [part.tolist() for part in split_theta(torch.arange(3.0)[None], [1, 2])]
        [[[0.0]], [[1.0, 2.0]]]
    """
    if not is_exported():
        return torch.split_with_sizes(theta, list(sizes), dim=1)
    starts = [0, *itertools.accumulate(sizes)]
    return tuple(theta[:, start:end] for start, end in itertools.pairwise(starts))


def widened_sum(
    values: Float[Tensor, "*any"], constant: Float[Tensor, "*#any"], dtype: torch.dtype = torch.float64
) -> Float[Tensor, "*any"]:
    """The sum of values and a constant, formed in float64; exported, formed in the dtype of the values.

    OpenVINO (2026.4.1) drops the bias of a linear layer, such as a head's, whose result is converted to float64 and has
    a constant added to it.

    Args:
        values: θ, or a part of it.
        constant: in float64.
        dtype: of the result.

    Example:
        >>> widened_sum(torch.ones(2), torch.tensor(0.5, dtype=torch.float64))
        tensor([1.5000, 1.5000], dtype=torch.float64)
    """
    total = values + constant.to(values) if is_exported() else values.double() + constant.to(values.device)
    return total if total.dtype == dtype else total.to(dtype)
