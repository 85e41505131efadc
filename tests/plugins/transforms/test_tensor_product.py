"""Displacements by a lattice of control points: the properties that bspline and displacement share."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit
from tests.helpers import lattice_points, random_points, random_theta

# The option that sets the lattice, and the fewest control points along an axis.
FAMILIES = {"bspline": ("control_points", 4), "displacement": ("resolution", 1)}
SIZES = {2: [(7, 10), (1, 6), (6, 1), (1, 1), (2, 2)], 3: [(3, 5, 4), (1, 2, 1)]}


def built(name, lattice):
    return stnkit.build("transform", name, ndim=len(lattice), **{FAMILIES[name][0]: lattice})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FAMILIES)
def test_grid_is_forward_on_the_lattice(name, dtype):
    family = built(name, [64, 64])
    theta = random_theta(family, dtype=dtype)
    for size in SIZES[family.ndim]:
        grid = family.grid(theta, size)
        assert grid.shape == (3, *size, family.ndim)
        assert grid.dtype == dtype
        expected = family(theta, lattice_points(size, dtype)).view(grid.shape)
        torch.testing.assert_close(grid, expected, atol=1e-5 if dtype == torch.float32 else 1e-13, rtol=0)


@pytest.mark.parametrize("name", FAMILIES)
@settings(deadline=None, max_examples=25)
@given(
    more=st.lists(st.integers(0, 5), min_size=2, max_size=3),
    scale=st.floats(-2, 2),
    seed=st.integers(0, 2**31),
)
def test_the_displacement_is_linear_in_theta(name, more, scale, seed):
    family = built(name, [FAMILIES[name][1] + n for n in more])
    first, second = random_theta(family, batch=2, seed=seed).split(1)
    points = random_points(family, batch=1, reach=2, seed=seed)
    together = family(first + scale * second, points) - points
    apart = (family(first, points) - points) + scale * (family(second, points) - points)
    torch.testing.assert_close(together, apart, atol=1e-12, rtol=0)


LATTICES = [("bspline", [8, 8]), ("bspline", [4, 5, 6]), ("displacement", [8, 8]), ("displacement", [2, 3, 4])]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e38])
@pytest.mark.parametrize(("name", "lattice"), LATTICES, ids=str)
def test_a_nonfinite_theta_gives_finite_grids_and_gradients(name, lattice, bad):
    family = built(name, lattice)
    theta = random_theta(family, dtype=torch.float32)
    theta[1, 3] = bad
    theta[2, :] = bad
    theta.requires_grad_()
    grid = family.grid(theta, SIZES[family.ndim][0])
    grid.square().sum().backward()
    assert grid.isfinite().all()
    assert (grid[2].abs() > 1).any(dim=-1).all()
    assert theta.grad.isfinite().all()
