"""The native flow of velocity fields that are cubic B-splines: its conditions, and calls of the compiled library."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.native import calls
from stnkit.native.flow import takes_flow
from stnkit.native.library import kernels

# Points of a unit of work and the most units of a field, as in `source/spline/steps.h`, and zeros beside an axis, as in
# `source/spline/lattice.h`.
_UNIT, _MOST_UNITS = 1024, 16
_MARGIN = 4
# Places in a lattice are counted in float32.
_MOST_CONTROL_POINTS = 2**22


def takes_spline_flow(counts: Sequence[int], *tensors: Tensor) -> bool:
    """True if the kernel takes these control points, and these velocities and points, here and now.

    Args:
        counts: of control points, (rows, columns) or (slices, rows, columns).
        tensors: of one dtype.

    Raises:
        NativeError: when the library is required and cannot be had.
    """
    return takes_flow(*tensors) and math.prod(n + 2 * _MARGIN for n in counts) <= _MOST_CONTROL_POINTS


def forward(
    velocities: Float[Tensor, "B P"], points: Float[Tensor, "b N ndim"], counts: Sequence[int], steps: int
) -> Float[Tensor, "B N ndim"]:
    """The points at time 1, in memory one plane for each coordinate.

    Args:
        velocities: of the control points, a plane for each coordinate.
        points: at time 0, for each field or (batch of 1) the same for all.
        counts: of control points.
        steps: number of steps.
    """
    source, planes = velocities.contiguous(), points.transpose(1, 2).contiguous()
    out = source.new_empty(len(source), *planes.shape[1:])
    kernels().spline_flow(out.data_ptr(), *_arguments(source, planes, counts, steps))
    return out.transpose(1, 2)


def backward(
    gradient: Float[Tensor, "B N ndim"],
    velocities: Float[Tensor, "B P"],
    points: Float[Tensor, "b N ndim"],
    counts: Sequence[int],
    steps: int,
    wants_points: bool,
) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B N ndim"] | None]:
    """The gradients to the velocities and, if wanted, to the points of each field at time 0.

    Args:
        gradient: to the points at time 1.
        velocities: of the control points, a plane for each coordinate.
        points: at time 0, for each field or (batch of 1) the same for all.
        counts: of control points.
        steps: number of steps.
        wants_points: False to leave the second one out.
    """
    source, planes, given = (t.contiguous() for t in (velocities, points.transpose(1, 2), gradient.transpose(1, 2)))
    units = max(1, min(_MOST_UNITS, -(-planes.shape[2] // _UNIT)))
    partial = torch.empty(len(source), units, source.shape[1], dtype=torch.float64)
    of_velocities, of_points = torch.empty_like(source), torch.empty_like(given) if wants_points else None
    kernels().spline_flow_backward(
        *(given.data_ptr(), *_arguments(source, planes, counts, steps), partial.data_ptr()),
        *(of_velocities.data_ptr(), 0 if of_points is None else of_points.data_ptr()),
    )
    return of_velocities, None if of_points is None else of_points.transpose(1, 2)


def _arguments(source: Tensor, planes: Tensor, counts: Sequence[int], steps: int) -> tuple[Any, ...]:
    numbers = len(source), planes.shape[2], int(len(planes) == 1)
    # x first, as in a point.
    shape = tuple(reversed(counts)), steps, source.dtype is torch.float64
    return source.data_ptr(), planes.data_ptr(), *numbers, *shape, calls.threads()
