"""Matrices of least squares: scaled columns, solutions by QR, and ranks."""

from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from stnkit.errors import InputError

# A singular value below this share of the largest counts as 0: what it divides would keep fewer than 9 digits.
RANK = 1e-7


@final
class UndeterminedError(InputError):
    """Points do not determine a map: more of them may."""


def column_scales(matrix: Float[Tensor, "B M P"]) -> Float[Tensor, "B P"]:
    """The norm of each column, and of columns that are nearly 0 the share `RANK` of the largest norm.

    Divided by it, columns of different units are alike, and a column without influence stays one.

    Args:
        matrix: of one system for each element of the batch.
    """
    norms = torch.linalg.vector_norm(matrix, dim=1)
    largest = norms.amax(dim=1, keepdim=True)
    return torch.maximum(norms, torch.where(largest > 0, RANK * largest, 1.0))


def rank_of(matrix: Float[Tensor, "B M P"]) -> Int[Tensor, "B"]:
    """The numerical rank, with columns of different units made alike.

    Args:
        matrix: finite.
    """
    # Of the triangular factor, which is no larger than P × P and has the same singular values.
    triangle = torch.linalg.qr(matrix / column_scales(matrix)[:, None], mode="r").R
    values = torch.linalg.svdvals(triangle)
    return (values > RANK * values[:, :1]).sum(dim=1)


def solve_by_qr(
    matrix: Float[Tensor, "B M P"], values: Float[Tensor, "B M"]
) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B P P"]]:
    """The x of least ‖A x − v‖, and the triangle R with AᵀA = RᵀR.

    Args:
        matrix: A, of full rank, with no fewer rows than columns.
        values: v.
    """
    q, r = torch.linalg.qr(matrix)
    return torch.linalg.solve_triangular(r, q.mT @ values[..., None], upper=True)[..., 0], r


def shortest_solution(
    matrix: Float[Tensor, "B M P"], values: Float[Tensor, "B M"]
) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B"]]:
    """The x of least ‖A x − v‖, the shortest in units of the columns, and ‖A x‖; NaN where A or v is not finite.

    Directions of a singular value that counts as 0 are left out. Columns that are nearly parallel have another one
    together, whose share of v none of them shows.

    Args:
        matrix: A, of any rank.
        values: v.
    """
    usable = matrix.isfinite().all(dim=2).all(dim=1) & values.isfinite().all(dim=1)
    matrix, values = torch.where(usable[:, None, None], matrix, 0.0), torch.where(usable[:, None], values, 0.0)
    scales = column_scales(matrix)
    q, r = torch.linalg.qr(matrix / scales[:, None])
    u, sizes, vh = torch.linalg.svd(r, full_matrices=False)
    regular = sizes > RANK * sizes[:, :1]
    parts = torch.where(regular, (u.mT @ (q.mT @ values[..., None]))[..., 0], 0.0)
    found = (vh.mT @ torch.where(regular, parts / torch.where(regular, sizes, 1.0), 0.0)[..., None])[..., 0] / scales
    length = torch.linalg.vector_norm(parts, dim=1)
    return torch.where(usable[:, None], found, torch.nan), torch.where(usable, length, torch.nan)


def normal_solution(r: Float[Tensor, "B P P"], right: Float[Tensor, "B P"]) -> Float[Tensor, "B P"]:
    """The x with RᵀR x = b.

    Args:
        r: R, upper triangular and regular.
        right: b.
    """
    half = torch.linalg.solve_triangular(r.mT, right[..., None], upper=False)
    return torch.linalg.solve_triangular(r, half, upper=True)[..., 0]


def is_regular(matrix: Float[Tensor, "B M P"]) -> Bool[Tensor, "B"]:
    """True for matrices of full column rank.

    Args:
        matrix: finite.
    """
    return rank_of(matrix) == matrix.shape[2]


def undetermined(weights: Float[Tensor, "N"], index: int, found: int, possible: int) -> UndeterminedError:
    """The sentence about points that do not determine a map.

    Args:
        weights: of the points.
        index: of them in their batch.
        found: number of degrees of freedom that follow from them.
        possible: number of those that the map has.
    """
    return UndeterminedError(
        f"expected points that determine the map, got {int((weights > 0).sum())} of positive weight at index {index} "
        f"of the batch, from which {found} of its {possible} degrees of freedom follow"
    )
