"""Homogeneous matrices of affine maps; `stnkit.coordinates` has the names."""

import torch
from jaxtyping import Float
from torch import Tensor


def homogeneous(linear: Float[Tensor, "B ndim ndim"], shift: Float[Tensor, "B ndim"]) -> Float[Tensor, "B rows rows"]:
    """[A t; 0 1]: the homogeneous matrix of p ↦ A p + t.

    Args:
        linear: A, one matrix for each element of the batch.
        shift: t, one vector for each element.

    Example:
        >>> import torch, stnkit
        >>> stnkit.coordinates.homogeneous(torch.eye(2)[None], torch.tensor([[0.5, 0.0]])).tolist()
        [[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]
    """
    return with_last_row(torch.cat([linear, shift[..., None]], dim=-1))


def with_last_row(rows: Float[Tensor, "B ndim columns"]) -> Float[Tensor, "B columns columns"]:
    """[A t] with 0 … 0 1 below it.

    Args:
        rows: [A t], one matrix for each element of the batch.

    Example:
        >>> import torch, stnkit
        >>> stnkit.coordinates.with_last_row(torch.tensor([[[2.0, 0.0, 0.5], [0.0, 2.0, 0.0]]])).tolist()
        [[[2.0, 0.0, 0.5], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]]]
    """
    last = rows.new_tensor([0.0] * rows.shape[1] + [1.0]).expand(rows.shape[0], 1, -1)
    return torch.cat([rows, last], dim=-2)
