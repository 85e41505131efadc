"""Entries of θ that a fit has led to their bounds, beyond which they have no influence."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from stnkit.families.correspondences.stationary_point import PointMap, slope_of

# Halvings of the way from θ to its start, after which the bound on it is known to rounding.
HALVINGS = 50
# Slope at a bound, relative to that at the start, below which the influence fades instead of ending, as that of tanh
# does: then each θ has a better one beyond it.
FADED = 1e-7


class Bounds(NamedTuple):
    """The bounds at which the influence of some entries of θ ends.

    Args:
        entries: that are beyond a bound, of those without influence there.
        inside: the last value of each with influence.
        held: True where the squared error falls toward the bound, and so is least there.
    """

    entries: Int64[Tensor, "K"]
    inside: Float[Tensor, "K"]
    held: Bool[Tensor, "K"]


def bounds_of(
    point_map: PointMap,
    start: Float[Tensor, "1 P"],
    theta: Float[Tensor, "1 P"],
    points: tuple[Float[Tensor, "1 N ndim"], Float[Tensor, "1 N ndim"], Float[Tensor, "1 N"]],
    without_influence: Bool[Tensor, "P"],
) -> Bounds:
    """The bounds beyond which entries of θ are, and True for those at which the squared error is least.

    For bounds on single entries that is the condition of Karush, Kuhn and Tucker. An entry that has no influence on the
    way back to its start either is not determined, and one at whose bound the error falls away from it is lost; where
    the influence fades instead of ending there is no least.

    Args:
        point_map: T, called with θ and points in float64.
        start: θ at which the fit has started.
        theta: where it has ended.
        points: p, q and w.
        without_influence: True for the entries that move none of the points at `theta`.
    """
    entries = without_influence.nonzero()[:, 0]
    rows = torch.arange(len(entries), device=entries.device)
    target, source, weights = (tensor.expand(len(entries), *tensor.shape[1:]) for tensor in points)
    moved = theta.expand(len(entries), -1).clone()
    inward = (start - theta)[0, entries]
    counted = weights[..., None] > 0
    here = point_map(theta, points[0])

    def back_by(share: Tensor) -> Tensor:
        moved[rows, entries] = theta[0, entries] + share * inward
        return moved

    def has_influence(share: Tensor) -> Tensor:
        there = point_map(back_by(share), target)
        return ((there != here) & counted).flatten(1).any(dim=1)

    beyond, within = torch.zeros_like(inward), torch.ones_like(inward)
    found = has_influence(within)
    for _ in range(HALVINGS):
        middle = (beyond + within) / 2
        inside = has_influence(middle)
        beyond, within = torch.where(inside, beyond, middle), torch.where(inside, middle, within)
    at_bound, at_start = (
        inward * slope_of(point_map, back_by(share), target, source, weights)[rows, entries]
        for share in (within, torch.ones_like(within))
    )
    held = at_bound > FADED * at_start.abs()
    return Bounds(entries[found], (theta[0, entries] + within * inward)[found], held[found])
