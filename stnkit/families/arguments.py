"""Checks of the θ and the points that a family is called with."""

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError


def checked_theta(name: str, theta: Tensor, n_params: int) -> Float[Tensor, "B P"]:
    """θ in float32 or wider.

    Args:
        name: of the family.
        theta: one row of parameters for each element of the batch.
        n_params: the number of them.

    Raises:
        InputError: when its shape is not (B, n_params) or it is not real.
    """
    coordinates.check_is_tensor(f"{name}: theta", theta)
    if theta.ndim != 2 or theta.shape[1] != n_params:
        raise InputError(f"{name}: expected theta of shape (B, {n_params}), got {tuple(theta.shape)}")
    if not theta.is_floating_point():
        raise InputError(f"{name}: expected a floating-point theta, got {theta.dtype}")
    return coordinates.widened(theta)


def checked_points(name: str, points: Tensor, theta: Tensor, ndim: int) -> Float[Tensor, "#B N ndim"]:
    """Points in the dtype of θ, or their own if it is wider.

    Args:
        name: of the family.
        points: normalized.
        theta: checked.
        ndim: number of coordinates of a point.

    Raises:
        InputError: when their shape is not (B or 1, N, ndim) or they are not real.
    """
    coordinates.check_is_tensor(f"{name}: points", points)
    if points.ndim != 3 or points.shape[-1] != ndim or points.shape[0] not in (1, theta.shape[0]):
        batch = "1" if theta.shape[0] == 1 else f"{theta.shape[0]} or 1"
        raise InputError(f"{name}: expected points of shape ({batch}, N, {ndim}), got {tuple(points.shape)}")
    if not points.is_floating_point():
        raise InputError(f"{name}: expected floating-point points, got {points.dtype}")
    return points.to(torch.promote_types(points.dtype, theta.dtype))
