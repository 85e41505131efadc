"""Degrees of freedom of a map on the image, and those that follow from points."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.families.correspondences.held_entries import bounds_of
from stnkit.families.correspondences.least_squares import rank_of
from stnkit.families.correspondences.scattered_points import scattered_points
from stnkit.families.correspondences.stationary_point import PointMap
from stnkit.families.correspondences.weighted_residuals import weighted_jacobian

# The map on the image is sampled by at least this many equations for each entry of θ.
EQUATIONS = 4


def undetermined_rows(
    point_map: PointMap,
    thetas: tuple[Float[Tensor, "B P"], Float[Tensor, "B P"]],
    jacobian: Float[Tensor, "B M P"],
    points: tuple[Tensor, ...],
) -> dict[int, tuple[int, int]]:
    """The elements whose points do not determine the map on the image, as far as any points do.

    Args:
        point_map: T, called with θ and points in float64.
        thetas: at which the fit has started and ended.
        jacobian: at its end.
        points: p, q and w.

    Returns:
        For each the degrees of freedom that follow from the points, and those that the map has.
    """
    n_params, ndim = thetas[0].shape[1], points[0].shape[2]
    ranks = rank_of(torch.nan_to_num(jacobian, posinf=0.0, neginf=0.0))
    undetermined = {}
    for index in (ranks < n_params).nonzero()[:, 0].tolist():
        row = slice(index, index + 1)
        start, theta = (theta[row] for theta in thetas)
        # At the start too: a step may have led where an entry of θ has no influence on any point.
        possible = max(_degrees_of_freedom(point_map, one, ndim) for one in (start, theta))
        found = int(ranks[index])
        unmoved = (jacobian[index] == 0).all(dim=0)
        if found < possible and bool(unmoved.any()):
            target, source, weights = (tensor[row] for tensor in points)
            found += int(bounds_of(point_map, start, theta, (target, source, weights), unmoved).held.sum())
        if found < possible:
            undetermined[index] = found, possible
    return undetermined


def _degrees_of_freedom(point_map: PointMap, theta: Float[Tensor, "1 P"], ndim: int) -> int:
    """The number of directions in which θ changes the map on the image."""
    count = max(8**ndim, math.ceil(EQUATIONS * theta.shape[1] / ndim))
    everywhere = scattered_points(count, ndim).to(theta)
    jacobian = weighted_jacobian(point_map, theta, everywhere, torch.ones_like(everywhere[..., 0]))
    return int(rank_of(torch.nan_to_num(jacobian, posinf=0.0, neginf=0.0)))
