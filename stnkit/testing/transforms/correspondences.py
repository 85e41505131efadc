"""The check of θ from correspondences."""

import math

import torch

from stnkit.errors import InputError
from stnkit.families.correspondences.scattered_points import scattered_points
from stnkit.families.family import TransformFamily
from stnkit.families.linear import LinearFamily
from stnkit.testing.assertions import CheckFailed, NotApplicable, close
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import gradient, is_in_reach, lattice_points, theta_of, uniform
from stnkit.testing.transforms.algebra import linearity

# In float64, of maps that an iteration finds to rounding.
TOLERANCE = 1e-7
# Entries of θ beyond which a fit takes seconds, and beyond which the default one does.
MANY, MANY_ITERATED = 400, 100
# Equations for each entry of θ, and how many times as many points there are where they leave an entry open.
EQUATIONS, MORE = 2, 9


def fit(under_test: ComponentUnderTest) -> None:
    """The fit to points p and T_θ(p) has the map T_θ, and a point of weight 0 has no influence."""
    family: TransformFamily = under_test.built()
    most = MANY_ITERATED if type(family)._fit is TransformFamily._fit else MANY
    if family.n_params > most:
        raise NotApplicable(f"θ has more than {most} entries")
    _require_start(family)
    if isinstance(family, LinearFamily):
        _require_linear(under_test)
    n_points = max(5**family.ndim, math.ceil(EQUATIONS * family.n_params / family.ndim))
    try:
        _check_fit(family, n_points)
    except InputError:
        try:
            _check_fit(family, MORE * n_points)
        except InputError as refusal:
            claim = "fit must find the map that has made the points"
            raise CheckFailed(f"{claim}: expected θ, got {refusal}") from refusal


def _check_fit(family: TransformFamily, n_points: int) -> None:
    points = scattered_points(n_points, family.ndim)
    expected = family(theta_of(family, batch=1), points).detach()
    weights = is_in_reach(expected).double()
    spoiled = expected.clone()
    weights[:, 0], spoiled[:, 0] = 0.0, 0.5
    found = family.fit(points, spoiled, weights)
    source = torch.where(weights[..., None] > 0, family(found, points), expected)
    close(source, expected, TOLERANCE, "the map fitted to p and T_θ(p) must be T_θ, and points of weight 0 be left out")


def _require_start(family: TransformFamily) -> None:
    """Raise NotApplicable where no step leads away from the identity, of which `gradients` tells."""
    theta = family.identity().detach().clone()[None].requires_grad_()
    points = lattice_points((3,) * family.ndim)
    source = family(theta, points)
    slope = gradient((source * uniform(*source.shape)).sum(), theta)
    if family.n_params and not (slope.isfinite().all() and slope.any()):
        raise NotApplicable("the gradient to θ is 0 or not finite at the identity")


def _require_linear(under_test: ComponentUnderTest) -> None:
    try:
        linearity(under_test)
    except CheckFailed as reason:
        raise NotApplicable(str(reason)) from reason
