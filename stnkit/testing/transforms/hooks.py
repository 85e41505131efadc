"""Checks of the hooks that give in closed form what `forward` gives too: the matrix and the bending energy."""

import torch

from stnkit.families.derivatives import derivatives
from stnkit.families.family import TransformFamily
from stnkit.families.matrix_form import matrix_form as matrices_of
from stnkit.families.regularity import bending_energy as energies_of
from stnkit.testing.assertions import FLOAT64, NotApplicable, close
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, gradient, is_in_reach, points_of, theta_of

# Of θ, so that maps bend and move by a visible part of the image.
SPREAD = 0.1


def matrix_form(under_test: ComponentUnderTest) -> None:
    """The matrices of a family that has them, homogeneous and on [-1, 1], take points to where forward takes them."""
    family: TransformFamily = under_test.built()
    theta, points = theta_of(family, spread=SPREAD), points_of(family)
    matrices = matrices_of(family, theta)
    if matrices is None:
        raise NotApplicable(f"{type(family).__name__} has no matrices")
    homogeneous = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1) @ matrices.mT
    expected = family(theta, points)
    found = homogeneous[..., :-1] / homogeneous[..., -1:]
    known = is_in_reach(expected)[..., None]
    close(
        torch.where(known, found, 0.0),
        torch.where(known, expected, 0.0),
        FLOAT64,
        "the matrices of _matrix_form must take points to where forward takes them",
    )


def bending_energy(under_test: ComponentUnderTest) -> None:
    """The bending energy that a family gives, and its gradient to θ, are those of the second derivatives of forward."""
    family: TransformFamily = under_test.built()
    if type(family)._bending_energy is TransformFamily._bending_energy:
        raise NotApplicable(f"{type(family).__name__} has no _bending_energy of its own")
    size = SIZE[family.ndim]
    theta = theta_of(family, spread=SPREAD).requires_grad_(family.n_params > 0)
    found = energies_of(family, theta, size)
    second, _ = derivatives(family, theta, size, order=2)
    expected = second.square().sum(dim=(-3, -2, -1)).mean(dim=1)
    claim = "_bending_energy must be that of the second derivatives of forward"
    close(found, expected, FLOAT64, claim)
    if family.n_params:
        ours, theirs = gradient(found.sum(), theta), gradient(expected.sum(), theta)
        close(ours, theirs, FLOAT64, f"the gradient of {claim}")
