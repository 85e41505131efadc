"""Checks of a family's constructor and of the identity."""

import torch
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.family import TransformFamily
from stnkit.heads import lattice_axis, lattice_of
from stnkit.testing import round_trips
from stnkit.testing.assertions import FLOAT32, FLOAT64, CheckFailed, NotApplicable, NotBuilt, close, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, is_in_reach, points_of

# Number of entries of θ that are moved for each coordinate, and by how much.
ENTRIES, STEP = 9, 1e-3


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
    """The θ of `identity`, n_params numbers in float64, has T_θ(p) = p, and its grid is the pixel centers.

    A chart has no such θ: the map of its neutral θ moves points, and at least half of the output has a source.
    """
    family: TransformFamily = under_test.built()
    theta = family.identity()
    shape, dtype = tuple(theta.shape), theta.dtype
    require(shape == (family.n_params,), f"identity(): expected shape ({family.n_params},), got {shape}")
    require(dtype == torch.float64, f"identity(): expected float64, got {dtype}")
    if family.is_chart:
        _check_neutral(family, theta)
        return
    size = SIZE[family.ndim]
    unless = "unless it is a chart, with is_chart = True"
    for wanted, tolerance in ((torch.float64, FLOAT64), (torch.float32, FLOAT32)):
        points, row = points_of(family, reach=1.0).to(wanted), theta.to(wanted)[None]
        close(family(row, points), points, tolerance, f"the identity must leave every point where it is, {unless}")
        lattice = coordinates.lattice(size, dtype=wanted)[None]
        close(family.grid(row, size), lattice, tolerance, "the grid of the identity must be the pixel centers")


def _check_neutral(family: TransformFamily, theta: Tensor) -> None:
    points = points_of(family, n=100, reach=1.0)
    source = family(theta[None], points)
    share = is_in_reach(source).double().mean().item()
    require(
        share >= 0.5, f"a chart must map at least half of the output to the image or near it, got {share:.0%} of it"
    )
    moved = (source - points)[is_in_reach(source)].abs().max().item()
    require(
        moved > FLOAT32, "the neutral θ of a chart must not be the identity map: expected is_chart = False, got True"
    )


def lattice(under_test: ComponentUnderTest) -> None:
    """The θ of a family with a `lattice_shape` is planar: an entry moves its own point most, along its coordinate.

    Points of the lattice outside of the image are taken at its edge.
    """
    family: TransformFamily = under_test.built()
    if family.lattice_shape is None:
        raise NotApplicable(f"{type(family).__name__} has no lattice_shape")
    try:
        shape, extent = lattice_of(family)
    except InputError as reason:
        raise CheckFailed(str(reason)) from reason
    axes = [lattice_axis(n, last) for n, last in zip(shape, extent, strict=True)]
    points = coordinates.mesh(axes).view(-1, family.ndim).clamp(-1, 1)
    chosen = sorted(set(torch.linspace(0, len(points) - 1, ENTRIES).round().long().tolist()))
    for coordinate in range(family.ndim):
        step = torch.zeros(len(chosen), family.ndim, len(points), dtype=torch.float64)
        step[torch.arange(len(chosen)), coordinate, chosen] = STEP
        theta = family.identity() + step.flatten(1)
        moves = family(theta, points[None]) - points
        own = moves[torch.arange(len(chosen)), chosen, coordinate]
        for k, index in enumerate(chosen):
            largest = moves[k].abs().max()
            place = [round(x, 3) for x in points[index].tolist()]
            require(
                bool(own[k] > 0.99 * largest),
                f"entry {coordinate * len(points) + index} of θ must move the point at {place} along coordinate "
                f"{coordinate} more than anything else: expected {float(largest):.3g}, got {float(own[k]):.3g}",
            )
