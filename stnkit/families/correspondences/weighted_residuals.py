"""Residuals of weighted points under a map, and their derivative in θ."""

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.families.correspondences.stationary_point import PointMap

# Of points of size 1: the residual of exact points.
EXACT = 1e-13


def weighted_residual(
    point_map: PointMap, theta: Float[Tensor, "B P"], points: tuple[Tensor, ...]
) -> Float[Tensor, "B M"]:
    """√w (q − T_θ(p)), a row for each coordinate of each point; infinite where T_θ is not finite.

    Args:
        point_map: T, called with θ and points in float64.
        theta: one row for each element of the batch.
        points: p, q and w.
    """
    target, source, weights = points
    found = (weights.sqrt()[..., None] * (source - point_map(theta, target))).flatten(1)
    return torch.where(found.isfinite().all(dim=1, keepdim=True), found, torch.inf)


def weighted_jacobian(
    point_map: PointMap, theta: Float[Tensor, "B P"], target: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
) -> Float[Tensor, "B M P"]:
    """√w ∂T/∂θ, a row for each coordinate of each point.

    Args:
        point_map: T, called with θ and points in float64.
        theta: one row for each element of the batch.
        target: p.
        weights: w.
    """
    batch, n_points, ndim = target.shape
    # A θ of its own for each point: then one backward pass for each coordinate gives the rows of all points.
    copies = theta.detach().repeat_interleave(n_points, dim=0).requires_grad_()
    with torch.enable_grad():
        # + 0·θ, so that a map that does not depend on θ has a graph.
        value = point_map(copies, target.reshape(-1, 1, ndim)) + 0 * copies.sum(dim=1)[:, None, None]
        rows = [torch.autograd.grad(value[..., d].sum(), copies, retain_graph=True)[0] for d in range(ndim)]
    jacobian = torch.stack(rows, dim=1).view(batch, n_points, ndim, -1)
    return (weights.sqrt()[..., None, None] * jacobian).flatten(1, 2)


def cost_of(residual: float, points: tuple[Tensor, ...]) -> Float[Tensor, "B"]:
    """The squared error of residuals of one size, relative to the points.

    Args:
        residual: of each point, of points of size 1.
        points: p, q and w.
    """
    size = points[1].abs().amax(dim=(1, 2)).clamp_min(1.0)
    return (residual * size).square() * points[2].sum(dim=1)
