"""The flows of exported programs, against those of eager families and against polynomials."""

import pytest
import torch

import stnkit
from stnkit.families.flows.cell_field import CellField, unrolled_flow
from stnkit.families.flows.picard import _integrals, picard
from stnkit.families.flows.unrolled_spline import unrolled_spline_flow
from stnkit.families.runge_kutta_steps import runge_kutta
from tests.helpers import lattice_points, random_points, random_theta

CELLS = [{"cells": [1, 1]}, {"cells": [2, 4]}, {}, {"zero_boundary": False}, {"volume_preserving": True}]
LATTICES = [[4, 4], [8, 8], [5, 9], [4, 6, 5]]


def moving(family, farthest, points):
    """θ that moves the farthest of the points about so far."""
    theta = random_theta(family, batch=2)
    return theta * farthest / (family(theta, points) - points).norm(dim=-1).max()


@pytest.mark.parametrize("options", CELLS, ids=str)
@pytest.mark.parametrize(("farthest", "error"), [(0.25, 1e-6), (0.5, 1e-5)])
def test_the_flow_of_a_program_is_nearly_the_exact_one(options, farthest, error):
    family = stnkit.build("transform", "cpab", **options)
    points = lattice_points((16, 20))
    theta = moving(family, farthest, points)
    found = unrolled_flow(family.velocities(theta), points, family.tessellation)
    torch.testing.assert_close(found, family(theta, points), atol=error, rtol=0)


@pytest.mark.parametrize("options", CELLS, ids=str)
def test_the_field_of_cells_is_the_piecewise_affine_one(options):
    family = stnkit.build("transform", "cpab", **options)
    points = random_points(family, batch=2, n=200, reach=2.0)
    vertices = family.tessellation.vertices.expand(2, -1, -1)
    at = torch.cat([points, vertices], dim=1)
    velocities = family.velocities(random_theta(family, batch=2))
    found = CellField(velocities, family.tessellation)(at.transpose(1, 2)[..., None])[..., 0].transpose(1, 2)
    # The difference that a flow of no time makes.
    instant = 1e-6
    expected = (stnkit.families.flow(velocities * instant, at, family.tessellation) - at) / instant
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(found[:, 200:], velocities, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("nodes", "targets"), [(4, 8), (8, 16), (32, 0), (3, 5)])
def test_integrals_are_exact_for_parabolas(nodes, targets):
    at = (torch.arange(nodes, dtype=torch.float64) + 0.5) / nodes
    end = (torch.arange(targets, dtype=torch.float64) + 0.5) / targets if targets else torch.ones(1).double()
    weights = torch.tensor(_integrals(nodes, targets), dtype=torch.float64)
    for power in range(3):
        torch.testing.assert_close(weights @ at**power, end ** (power + 1) / (power + 1), atol=1e-14, rtol=0)


def test_picard_solves_a_linear_equation():
    matrix = torch.tensor([[0.3, -0.8], [0.5, 0.1]], dtype=torch.float64)
    points = torch.eye(2, dtype=torch.float64)[None]
    end = picard(lambda p: torch.einsum("ij,bjnm->binm", matrix, p), points)
    torch.testing.assert_close(end[0], torch.linalg.matrix_exp(matrix), atol=1e-6, rtol=0)


@pytest.mark.parametrize("control_points", LATTICES, ids=str)
def test_the_unrolled_spline_is_the_composite_one(control_points):
    family = stnkit.build("transform", "velocity", control_points=control_points, ndim=len(control_points))
    points = random_points(family, batch=1, n=60, reach=2.0)
    theta = moving(family, 0.5, points)
    found = unrolled_spline_flow(theta, points, control_points, 8)
    torch.testing.assert_close(found, runge_kutta(family.velocities, theta, points, 8), atol=1e-12, rtol=0)
