"""The test that a homogeneous matrix is, as a map, that of a θ."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError

# Relative error of a matrix of the family: that of products and inverses in float32, and of entries written with four
# digits. It moves a point by 0.01 of a pixel at 224.
TOLERANCE = 1e-4
# The same in units of the dtype's last place, for half precision.
UNITS = 4


def check_matrix(family: str, matrix: Tensor, ndim: int) -> Float[Tensor, "B rows rows"]:
    """The matrix in float32 or wider.

    Args:
        family: its name, for the message.
        matrix: of any value.
        ndim: number of dimensions.

    Raises:
        InputError: when it is no tensor, is not real, or its shape is not (B, ndim + 1, ndim + 1).
    """
    coordinates.check_is_tensor(f"{family}.from_matrix: matrix", matrix)
    rows = ndim + 1
    if matrix.ndim != 3 or matrix.shape[1:] != (rows, rows):
        raise InputError(f"{family}.from_matrix: expected shape (B, {rows}, {rows}), got {tuple(matrix.shape)}")
    if not matrix.is_floating_point():
        raise InputError(f"{family}.from_matrix: expected a floating-point matrix, got {matrix.dtype}")
    return coordinates.widened(matrix)


def tolerance_of(dtype: torch.dtype) -> float:
    """The relative error that entries of a matrix of that dtype may have."""
    return max(TOLERANCE, UNITS * torch.finfo(dtype).eps)


def with_unit_last_entry(matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B rows rows"]:
    """M / M[-1, -1], the same map; unchanged where that entry is 0."""
    last = matrix[:, -1:, -1:]
    return matrix / torch.where(last == 0, 1.0, last)


def reproduced(
    matrix: Float[Tensor, "B rows rows"], nearest: Float[Tensor, "B rows rows"], affine: bool, tolerance: float
) -> Bool[Tensor, "B"]:
    """True where both matrices are one map, with the same points of the output in front of the horizon.

    Args:
        matrix: any, finite or not.
        nearest: that of the θ found for it.
        affine: True if their scales are the same; otherwise they may differ by a factor.
        tolerance: relative to the largest entry of the linear part, the translation and the last row.
    """
    if not affine:
        factor = (matrix * nearest).sum(dim=(1, 2)) / nearest.square().sum(dim=(1, 2))
        nearest = factor[:, None, None] * nearest
    wrong, entries = (matrix - nearest).abs(), matrix.abs()
    # Corners of the quotient are far more than its slopes where it is a map of a small region: no block of its own.
    inner = slice(-1) if affine else slice(None)
    same = _largest(wrong[:, :-1, inner]) <= tolerance * _largest(entries[:, :-1, inner])
    same = same & (_largest(wrong[:, :-1]) <= tolerance * _largest(entries[:, :-1]))
    same = same & (_largest(wrong[:, -1:]) <= tolerance * _largest(entries[:, -1:]))
    if affine:
        return same
    # w of the nearest map at the corners is at least its constant less its slopes; `factor` has the sign of both.
    in_front = -nearest[:, -1, -1] - nearest[:, -1, :-1].abs().sum(dim=1) > 0
    return same & ((factor > 0) | in_front)


def refusal(
    family: str,
    matrix: Float[Tensor, "rows rows"],
    nearest: Float[Tensor, "rows rows"],
    index: int,
    tolerance: float,
) -> InputError:
    """The sentence about a matrix that is that of no θ.

    Args:
        family: its name.
        matrix: as it was given.
        nearest: that of the θ found for it.
        index: of both in their batch.
        tolerance: relative.
    """
    if not bool(nearest.isfinite().all()):
        told = "near which there is none"
    elif float((matrix * nearest).sum()) < 0 and bool(nearest[-1, :-1].any()):
        told = "which has the center of the output behind the horizon w = 0 and other points of it in front"
    else:
        told = f"where the nearest map has {_rows(nearest)}"
    return InputError(
        f"{family}.from_matrix: expected the matrix of a map of this family, up to a factor and relative errors of "
        f"{tolerance:g}, got {_rows(matrix)} at index {index} of the batch, {told}"
    )


def _largest(entries: Float[Tensor, "B rows columns"]) -> Float[Tensor, "B"]:
    return entries.amax(dim=(1, 2))


def _rows(matrix: Tensor) -> list[list[float]]:
    # + 0.0 takes the sign off a zero.
    return [[float(f"{entry:.6g}") + 0.0 for entry in row] for row in matrix.tolist()]
