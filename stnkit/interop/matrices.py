"""Matrices between pixels as tools take them: inverses, affine rows, coordinates from the outer edge, eight numbers."""

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from stnkit.errors import InputError
from stnkit.interop.pixels import as_array

# The condition number from which an inverse in float64 has hardly a correct digit.
SINGULAR = 1e14


def inverted(matrix: Float64[Tensor, "B rows rows"]) -> Float64[Tensor, "B rows rows"]:
    """M⁻¹ of each matrix.

    Args:
        matrix: homogeneous, one for each element of the batch.

    Raises:
        InputError: when one has no inverse: its map has a single line or point as its image.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.matrices.inverted(2 * torch.eye(3, dtype=torch.float64)[None])[0, 0]
        tensor([0.5000, 0.0000, 0.0000], dtype=torch.float64)
    """
    inverse, failed = torch.linalg.inv_ex(matrix)
    condition = (matrix.detach().abs().sum(dim=2).amax(dim=1)) * inverse.detach().abs().sum(dim=2).amax(dim=1)
    singular = ((failed != 0) | ~(condition < SINGULAR)).nonzero().flatten().tolist()  # NaN is not below
    if singular:
        raise InputError(f"theta: expected maps with an inverse, got a singular matrix in row {singular[0]}")
    return inverse


def affine_rows(matrix: Float64[Tensor, "B rows rows"], instead: str) -> Float64[Tensor, "B ndim rows"]:
    """The rows of affine matrices without the last one, 0 … 0 1.

    Args:
        matrix: homogeneous, one for each element of the batch.
        instead: the function for other matrices, for the message.

    Raises:
        InputError: when one of them is not affine.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.matrices.affine_rows(torch.eye(3, dtype=torch.float64)[None], "remap").shape
        torch.Size([1, 2, 3])
    """
    last = matrix.new_tensor([0.0] * (matrix.shape[-1] - 1) + [1.0])
    # Of a θ that is not finite the rows are NaN, and no more projective than affine.
    projective = ((matrix[:, -1] - last).abs() > 0).any(dim=1).nonzero().flatten().tolist()
    if projective:
        raise InputError(f"theta: expected affine maps, got a projective one in row {projective[0]}: use {instead}")
    return matrix[:, :-1]


def to_edges(matrix: Float64[Tensor, "B rows rows"]) -> Float64[Tensor, "B rows rows"]:
    """S·M·S⁻¹: a map between pixel indices as one between pixels from the outer edge, S being the shift by ½.

    Args:
        matrix: M, homogeneous, one for each element of the batch.

    Example:
        >>> import torch, stnkit
        >>> matrix = torch.tensor([[[2.0, 0, 0.5], [0, 2, 0.5], [0, 0, 1]]], dtype=torch.float64)
        >>> stnkit.interop.matrices.to_edges(matrix)[0, 0]
        tensor([2., 0., 0.], dtype=torch.float64)
    """
    return _shift(matrix, 0.5) @ matrix @ _shift(matrix, -0.5)


def from_edges(matrix: Float64[Tensor, "B rows rows"]) -> Float64[Tensor, "B rows rows"]:
    """S⁻¹·M·S: a map between pixels from the outer edge as one between pixel indices, S being the shift by ½.

    Args:
        matrix: M, homogeneous, one for each element of the batch.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.matrices.from_edges(torch.diag(torch.tensor([2.0, 2, 1])).double()[None])[0, 0]
        tensor([2.0000, 0.0000, 0.5000], dtype=torch.float64)
    """
    return _shift(matrix, -0.5) @ matrix @ _shift(matrix, 0.5)


def eight_numbers(matrix: Float64[Tensor, "B 3 3"]) -> Float64[np.ndarray, "B 8"]:
    """The first eight numbers of M / M₃₃.

    Args:
        matrix: M, one for each element of the batch.

    Raises:
        InputError: when M₃₃ is 0.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.matrices.eight_numbers(2 * torch.eye(3).double()[None]).tolist()
        [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    """
    flat = as_array(matrix).reshape(-1, 9)
    on_horizon = np.flatnonzero(np.abs(flat[:, 8]) < 1e-12 * np.abs(flat).max(axis=1))
    if len(on_horizon):
        raise InputError(
            f"theta: expected the upper left corner in front of the horizon, got one on it in row {on_horizon[0]}"
        )
    return flat[:, :8] / flat[:, 8:]


def _shift(like: Tensor, by: float) -> Tensor:
    matrix = torch.eye(like.shape[-1], dtype=torch.float64, device=like.device)
    matrix[:-1, -1] = by
    return matrix
