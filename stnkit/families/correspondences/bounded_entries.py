"""Fits within the bounds of θ that the steps have passed: projected Gauss–Newton steps."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit.families.correspondences.held_entries import bounds_of
from stnkit.families.correspondences.stationary_point import PointMap

# Fits, each with the bounds that the ones before have found.
ROUNDS = 8


class Box:
    """Bounds of θ, and beyond each a value without influence.

    Args:
        theta: of one element, at first without bounds.
    """

    def __init__(self, theta: Float[Tensor, "1 P"]) -> None:
        self.lower, self.upper = torch.full_like(theta, -torch.inf), torch.full_like(theta, torch.inf)
        self._outside = theta.clone()

    def add(self, entries: Tensor, inside: Tensor, theta: Float[Tensor, "1 P"]) -> Float[Tensor, "1 P"]:
        """θ with these entries at their bounds.

        Args:
            entries: that are beyond a bound.
            inside: the bounds.
            theta: where they are beyond.
        """
        above = theta[0, entries] > inside
        self.upper[0, entries[above]], self.lower[0, entries[~above]] = inside[above], inside[~above]
        self._outside[0, entries] = theta[0, entries]
        return theta.clamp(self.lower, self.upper)

    def free(
        self, theta: Float[Tensor, "1 P"], jacobian: Float[Tensor, "1 M P"], missing: Float[Tensor, "1 M"]
    ) -> Float[Tensor, "1 M P"]:
        """The Jacobian, 0 for entries at a bound that a smaller squared error would lead beyond it.

        Args:
            theta: within the bounds.
            jacobian: there.
            missing: the residual there.
        """
        return torch.where(self._stopped(theta, jacobian, missing)[:, None], 0.0, jacobian)

    def let_out(
        self, theta: Float[Tensor, "1 P"], jacobian: Float[Tensor, "1 M P"], missing: Float[Tensor, "1 M"]
    ) -> Float[Tensor, "1 P"]:
        """θ with the entries that are stopped by a bound beyond it, where they have no slope: the same map.

        Args:
            theta: within the bounds.
            jacobian: there.
            missing: the residual there.
        """
        return torch.where(self._stopped(theta, jacobian, missing), self._outside, theta)

    def _stopped(self, theta: Tensor, jacobian: Tensor, missing: Tensor) -> Bool[Tensor, "1 P"]:
        ahead = (jacobian.mT @ missing[..., None])[..., 0]
        return ((theta >= self.upper) & (ahead > 0)) | ((theta <= self.lower) & (ahead < 0))


# θ of one element and its bounds -> θ, which may be let out of them, the Jacobian, and True where it is stationary.
BoxedFit = Callable[[Tensor, Box], tuple[Tensor, Tensor, Tensor]]


def fitted_within_bounds(
    fit: BoxedFit,
    point_map: PointMap,
    start: Float[Tensor, "1 P"],
    found: tuple[Float[Tensor, "1 P"], Float[Tensor, "1 M P"], Bool[Tensor, "1"]],
    points: tuple[Tensor, ...],
) -> tuple[Float[Tensor, "1 P"], Float[Tensor, "1 M P"], Bool[Tensor, "1"]]:
    """The result of `fit` for one element when entries that no step can lead back are at their bounds again.

    Noise drives an entry of small influence past the bound at which that ends, and the squared error of what the other
    entries come to then may be smaller with it inside.

    Args:
        fit: called with θ and the bounds.
        point_map: T, called with θ and points in float64.
        start: θ at which the fit has started.
        found: where it has ended.
        points: p, q and w.
    """
    target, source, weights = points
    box = Box(start)
    for _ in range(ROUNDS):
        without_influence = (found[1][0] == 0).all(dim=0)
        bounds = bounds_of(point_map, start, found[0], (target, source, weights), without_influence)
        if bool(bounds.held.all()):
            break
        found = fit(box.add(bounds.entries, bounds.inside, found[0]), box)
    return found
