"""Checks of a family's constructor and of the identity."""

import torch

from stnkit import coordinates
from stnkit.families.family import TransformFamily
from stnkit.testing import round_trips
from stnkit.testing.assertions import FLOAT32, FLOAT64, CheckFailed, NotBuilt, close, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, points_of


def construction(under_test: ComponentUnderTest) -> None:
    """The constructor works with the options, and sets `ndim` (2 or 3) and `n_params` (a whole number)."""
    try:
        family: TransformFamily = under_test.built()
    except NotBuilt as reason:
        raise CheckFailed(str(reason)) from reason
    require(family.ndim in (2, 3), f"ndim: expected 2 or 3, got {family.ndim!r}")
    n_params = getattr(family, "n_params", None)
    require(type(n_params) is int and n_params >= 0, f"n_params: expected a whole number, got {n_params!r}")


def config(under_test: ComponentUnderTest) -> None:
    """Its options pass through a Hydra config unchanged: it can be selected and set on the command line."""
    round_trips.through_config(under_test)


def identity(under_test: ComponentUnderTest) -> None:
    """The θ of `identity`, n_params numbers in float64, has T_θ(p) = p, and its grid is the pixel centers."""
    family: TransformFamily = under_test.built()
    theta = family.identity()
    shape, dtype = tuple(theta.shape), theta.dtype
    require(shape == (family.n_params,), f"identity(): expected shape ({family.n_params},), got {shape}")
    require(dtype == torch.float64, f"identity(): expected float64, got {dtype}")
    size = SIZE[family.ndim]
    for wanted, tolerance in ((torch.float64, FLOAT64), (torch.float32, FLOAT32)):
        points, row = points_of(family, reach=1.0).to(wanted), theta.to(wanted)[None]
        close(family(row, points), points, tolerance, "the identity must leave every point where it is")
        lattice = coordinates.lattice(size, dtype=wanted)[None]
        close(family.grid(row, size), lattice, tolerance, "the grid of the identity must be the pixel centers")
