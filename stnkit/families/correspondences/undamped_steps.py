"""Gauss–Newton steps without damping, along a valley of the squared error that is too narrow for damped ones."""

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.families.correspondences.least_squares import shortest_solution
from stnkit.families.correspondences.scattered_points import scattered_points
from stnkit.families.correspondences.stationary_point import PointMap
from stnkit.families.correspondences.weighted_residuals import EXACT, cost_of, weighted_jacobian, weighted_residual

# The steps, of which the last few square the share of the way that is left.
STEPS = 20
# Root mean square distance by which a step moves points of the image, at most: farther away the slope tells nothing.
LONGEST, SEEN = 0.5, 64
# Largest share of the residual that a step would remove where the squared error is stationary.
STATIONARY = 1e-4


def undamped_steps(
    point_map: PointMap, theta: Float[Tensor, "B P"], points: tuple[Tensor, ...]
) -> tuple[Float[Tensor, "B P"], Float[Tensor, "B M P"], Float[Tensor, "B M"]]:
    """θ of the least squared error on the way of Gauss–Newton steps, and there the Jacobian and the residual.

    Where points are close together, an angle and a shift move them nearly alike. The valley of θ that fit is then
    narrow and curved, and damped steps creep along it. A whole step leaves it, to a larger error, and the next one
    is back in it near its lowest place.

    Args:
        point_map: T, called with θ and points in float64.
        theta: in the valley.
        points: p, q and w.
    """
    best = theta, weighted_jacobian(point_map, theta, points[0], points[2]), weighted_residual(point_map, theta, points)
    here, jacobian, missing = best
    everywhere = scattered_points(SEEN, points[0].shape[2]).to(theta).expand(len(theta), -1, -1)
    one = torch.ones_like(everywhere[..., 0])
    for _ in range(STEPS):
        step, _ = shortest_solution(jacobian, missing)
        moved = (weighted_jacobian(point_map, here, everywhere, one) @ step[..., None]).square().mean(dim=(1, 2)).sqrt()
        step = step * (LONGEST / moved).clamp_max(1.0)[:, None]
        here = torch.where(step.isfinite().all(dim=1, keepdim=True), here + step, here)
        jacobian = weighted_jacobian(point_map, here, points[0], points[2])
        missing = weighted_residual(point_map, here, points)
        better = missing.square().sum(dim=1) < best[2].square().sum(dim=1)
        best = (
            torch.where(better[:, None], here, best[0]),
            torch.where(better[:, None, None], jacobian, best[1]),
            torch.where(better[:, None], missing, best[2]),
        )
        if bool((reducible_share(*best[1:], points) <= STATIONARY).all()):
            break
    return best


def reducible_share(
    jacobian: Float[Tensor, "B M P"], missing: Float[Tensor, "B M"], points: tuple[Tensor, ...]
) -> Float[Tensor, "B"]:
    """The share of the residual that some change of θ would remove if T were linear, 0 for exact points; or NaN.

    It is the sine of the angle between the residual and what no change of θ removes. Single columns of the Jacobian do
    not show it: where they are nearly parallel, the residual may be at right angles to each and yet in their span.

    Args:
        jacobian: J.
        missing: the residual.
        points: p, q and w.
    """
    _, removed = shortest_solution(jacobian, missing)
    cost = missing.square().sum(dim=1)
    share = removed / cost.sqrt().clamp_min(torch.finfo(cost.dtype).tiny)
    return torch.where(cost <= cost_of(EXACT, points), 0.0, share)
