"""The native flow of piecewise affine velocity fields: its conditions, and calls of the compiled library."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.families.tracing import is_plain_eager
from stnkit.native import calls
from stnkit.native.arrangement import Arrangement
from stnkit.native.library import kernels
from stnkit.native.memory import has_memory
from stnkit.native.switch import enabled

# Points of a unit of work, as in `source/flow/walk.h`.
_UNIT = 8192
_MOST_POINTS = 2**31 - 1


def takes_flow(*tensors: Tensor) -> bool:
    """True if the kernel takes these coefficients and points, here and now.

    Args:
        tensors: of one dtype.

    Raises:
        NativeError: when the library is required and cannot be had.
    """
    dtype = tensors[0].dtype
    return (
        is_plain_eager()  # first: a tracer does not follow what else is asked
        and enabled()
        and dtype in (torch.float32, torch.float64)
        and all(t.is_cpu and t.dtype is dtype and type(t) is Tensor and has_memory(t) for t in tensors)
        and all(t.numel() <= _MOST_POINTS for t in tensors)
    )


def forward(
    coefficients: Float[Tensor, "B R 6"], arrangement: Arrangement, charts: tuple[Tensor, ...]
) -> Float[Tensor, "B 2 N"]:
    """The points at time 1, in planes.

    Args:
        coefficients: w₀, w₁, w₂ of each region of each field.
        arrangement: of the points at time 0.
        charts: origin, edges, inverse, slopes, neighbor and transition of the tessellation, contiguous.
    """
    source = coefficients.contiguous()
    out = source.new_empty(len(source), 2, arrangement.order.shape[1])
    kernels().flow(out.data_ptr(), *_arguments(source, arrangement, charts))
    return out


def backward(
    gradient: Float[Tensor, "B 2 N"],
    coefficients: Float[Tensor, "B R 6"],
    arrangement: Arrangement,
    charts: tuple[Tensor, ...],
    wants_points: bool,
) -> tuple[Float[Tensor, "B R 6"], Float[Tensor, "B 2 N"] | None]:
    """The gradients to the coefficients and, if wanted, to the points at time 0, in planes.

    Args:
        gradient: to the points at time 1.
        coefficients: w₀, w₁, w₂ of each region of each field.
        arrangement: of the points at time 0.
        charts: of the tessellation, as `forward` takes them.
        wants_points: False to leave the second one out.
    """
    source, given = coefficients.contiguous(), gradient.contiguous()
    batch, regions, entries = source.shape
    units = max(1, -(-arrangement.order.shape[1] // _UNIT))
    partial = torch.empty(batch, units, regions, entries, dtype=torch.float64)
    of_coefficients, of_points = torch.empty_like(source), torch.empty_like(given) if wants_points else None
    kernels().flow_backward(
        *(given.data_ptr(), *_arguments(source, arrangement, charts), partial.data_ptr()),
        *(of_coefficients.data_ptr(), 0 if of_points is None else of_points.data_ptr()),
    )
    return of_coefficients, of_points


def _arguments(source: Tensor, arrangement: Arrangement, charts: tuple[Tensor, ...]) -> tuple[Any, ...]:
    order, first, chart = arrangement
    batch, regions, _ = source.shape
    places = order.data_ptr(), first.data_ptr(), chart.data_ptr()
    numbers = batch, regions, order.shape[1], int(len(order) == 1)
    wide = source.dtype is torch.float64
    return (
        *(source.data_ptr(), tuple(t.data_ptr() for t in charts)),
        *(*places, *numbers, wide, calls.threads()),
    )
