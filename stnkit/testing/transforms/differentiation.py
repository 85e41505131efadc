"""Checks of the gradients to θ and to the points."""

import torch
from torch import Tensor

from stnkit.families.family import TransformFamily
from stnkit.listed import listed
from stnkit.testing.assertions import FLOAT64, CheckFailed, NotApplicable, finite, gradcheck_sentence, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, gradient, is_in_reach, points_of, theta_of, uniform
from stnkit.testing.registration import check_registered

# Points of the check of entries: a number for all, and some for each entry, since one of a fine lattice moves few.
POINTS, POINTS_OF_AN_ENTRY = 500, 20


def gradients(under_test: ComponentUnderTest) -> None:
    """The gradients of forward to θ and to the points, and of grid to θ, are those of finite differences.

    At the identity they are finite, also in the center of the image, and that of the grid to θ is not zero throughout:
    training starts there and would never leave it. A family that has weights of its own may learn to leave it; each of
    them is registered.
    """
    family: TransformFamily = under_test.built()
    theta = theta_of(family, batch=2).requires_grad_(family.n_params > 0)
    points = points_of(family, n=5).requires_grad_()
    _check_gradients("forward", family, (theta, points))
    check_registered(family, lambda: family(theta, points), (theta, points))
    if family.n_params:
        size = (2, 3, 2)[: family.ndim]
        _check_gradients("grid", lambda rows: family.grid(rows, size), (theta,))
        check_registered(family, lambda: family.grid(theta, size), (theta,))
        _check_start(family)


def entries(under_test: ComponentUnderTest) -> None:
    """Every entry of θ moves points, at the identity or elsewhere.

    One that never does has no gradient: it is read nowhere, or another one is read twice in its place.
    """
    family: TransformFamily = under_test.built()
    if not family.n_params:
        raise NotApplicable("its θ has no entries")
    if any(weight.requires_grad for weight in family.parameters()):
        raise NotApplicable("it has weights of its own, which may begin at 0 and learn what an entry moves")
    points = points_of(family, n=POINTS + POINTS_OF_AN_ENTRY * family.n_params, reach=1.5)
    largest = torch.zeros(family.n_params, dtype=torch.float64)
    for spread in (0.0, 0.02, 0.3):
        theta = theta_of(family, batch=1, spread=spread).requires_grad_()
        source = family(theta, points)
        weights = uniform(*source.shape, seed=3).where(is_in_reach(source)[..., None], 0.0)
        found = gradient((source.where(weights != 0, 0.0) * weights).sum(), theta)
        largest = largest.maximum(found[0].abs().nan_to_num())
    still = [str(entry) for entry in (largest <= FLOAT64 * largest.max()).nonzero()[:, 0].tolist()]
    told = f"of entries 0 to {family.n_params - 1}, these move none: {listed(still, 5)}"
    require(not still, f"every entry of θ must move points: {told}")


def after_inference_mode(under_test: ComponentUnderTest) -> None:
    """A grid can be differentiated after one of its size was made in inference mode, as in a validation."""
    family: TransformFamily = under_test.built()
    theta, size = theta_of(family, dtype=torch.float32), SIZE[family.ndim]
    with torch.inference_mode():
        family.grid(theta, size)
    theta = theta.requires_grad_()
    finite(gradient(family.grid(theta, size).sum(), theta), "the gradient after inference mode must be finite")


def _check_start(family: TransformFamily) -> None:
    theta = family.identity().detach().clone()[None].requires_grad_()
    points = torch.zeros(1, 1, family.ndim, dtype=torch.float64, requires_grad=True)
    for name, wanted in (("θ", theta), ("the point", points)):
        found = gradient(family(theta, points).sum(), wanted)
        finite(found, f"the gradient of forward to {name} must be finite at the identity, in the center")
    # Odd sides, so that one of the pixels is the center.
    grid = family.grid(theta, (3, 5, 3)[: family.ndim])
    found = gradient((grid * uniform(*grid.shape, seed=8)).sum(), theta)
    finite(found, "the gradient of grid must be finite at the identity, where training starts")
    leaves = float(found.abs().max()) > FLOAT64 or any(p.requires_grad for p in family.parameters())
    require(leaves, "the gradient of grid must not be 0 at the identity, where training starts and would stay")


def _check_gradients(name: str, call: object, inputs: tuple[Tensor, ...]) -> None:
    try:
        # Fast mode compares along random directions; the full one moves each of a spline's many parameters by itself.
        torch.autograd.gradcheck(call, inputs, fast_mode=True)  # type: ignore[arg-type]
    except (RuntimeError, AssertionError) as error:
        text = gradcheck_sentence(error)
        raise CheckFailed(f"the gradient of {name} must be that of finite differences: {text}") from error
