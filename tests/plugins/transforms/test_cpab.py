"""Flows of continuous piecewise affine fields: SciPy's integrator, libcpab's dimensions and points, and properties."""

import contextlib
import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import stnkit
from stnkit.errors import InputError
from tests.plugins.transforms.cpab_cases import OPTIONS, cpab, drawn, points_within

# torch's first forward-mode derivative warns.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")
# `Cpab([columns, rows], zero_boundary=True, volume_perservation=...).get_theta_dim()` of libcpab 0.1.3.
DIMENSIONS = {(1, 2): (6, 1), (2, 2): (14, 3), (3, 3): (34, 8), (2, 4): (30, 7), (4, 3): (46, 11), (5, 5): (98, 24)}

# libcpab 0.1.3, `Cpab([3, 2])`, θ = linspace(-1, 1, 22), 2,000 steps: `calc_vectorfield` at the vertices, x then y,
# and `transform_grid` of five points, both from [0, 1] to [-1, 1].
VELOCITIES = [
    *(0.0, 0.2682002, 0.1831262, 0.0, 0.0, 0.0685973, 0.2000669, 0.0, 0.0, -0.0356833, 0.1057280, 0.0, -0.0070920),
    *(0.3956279, -0.0239879, 0.1608437, 0.2015221, 0.0748745),
    *(0.0, 0.0, 0.0, 0.0, -0.2201369, 0.0183408, 0.1296338, -0.2053380, 0.0, 0.0, 0.0, 0.0, -0.0149696),
    *(-0.0603926, -0.0532964, 0.0168569, 0.0280083, -0.0154447),
]
POINTS = [[-0.8, -0.6], [-0.1, 0.6], [0.24, -0.34], [0.8, 0.1], [-0.4, 0.0]]
MAPPED = [
    *([-0.8041756, -0.6283959], [0.0584515, 0.6216165], [0.4276525, -0.2670350]),
    *([0.8497496, -0.0158730], [-0.3345907, 0.0063022]),
]


def velocity_of(family, theta):
    """v(p) by barycentric weights of the triangle that holds p clamped to the square, found by trying them all."""
    vertices, velocities = family.tessellation.vertices.numpy(), family.velocities(theta[None])[0].numpy()
    (rows, columns), per_row = family.cells, family.cells[1] + 1
    triangles = []
    for j in range(rows):
        for i in range(columns):
            a, center = j * per_row + i, (rows + 1) * per_row + j * columns + i
            around = [a, a + 1, a + per_row + 1, a + per_row]
            triangles += [(center, around[k], around[(k + 1) % 4]) for k in range(4)]
    corners = np.concatenate([vertices[np.array(triangles)], np.ones((len(triangles), 3, 1))], axis=2)
    inverse = np.linalg.inv(corners)

    def velocity(_, p):
        weights = np.append(p.clip(-1, 1), 1) @ inverse
        best = weights.min(axis=1).argmax()
        return weights[best] @ velocities[list(triangles[best])]

    return velocity


def integrated(family, theta, points):
    solved = [solve_ivp(velocity_of(family, theta), (0, 1), p, rtol=1e-10, atol=1e-12).y[:, -1] for p in points.numpy()]
    return torch.tensor(np.array(solved))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_trajectories_are_those_of_scipy(options):
    family, points = cpab(**options), points_within(1.3, n=6)
    theta = drawn(family, n=1, scale=0.5)
    found = family(theta, points)[0]
    # The integrator's own error where the field bends, which its tolerance does not see.
    assert (found - integrated(family, theta[0], points[0])).abs().max() <= 1e-7


def test_a_linear_field_has_the_matrix_exponential():
    family = cpab(cells=[2, 3], zero_boundary=False)
    matrix = torch.tensor([[-0.4, -1.3], [0.9, 0.2]], dtype=torch.float64)
    theta = (family.tessellation.vertices @ matrix.T).T.flatten()[None]
    points = points_within(0.3)
    torch.testing.assert_close(family(theta, points), points @ torch.matrix_exp(matrix).T, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("matrix"), [[[0.5, 1.0], [0.0, 0.5]], [[0.0, 1.0], [0.0, 0.0]], [[0.3, 0.0], [0.0, 0.3]]])
def test_equal_eigenvalues_are_no_special_case(matrix):
    family, matrix = cpab(zero_boundary=False), torch.tensor(matrix, dtype=torch.float64)
    theta = (family.tessellation.vertices @ matrix.T).T.flatten()[None].requires_grad_()
    points = points_within(0.3, n=5)
    torch.testing.assert_close(family(theta, points), points @ torch.matrix_exp(matrix).T, atol=1e-12, rtol=0)
    assert torch.autograd.gradcheck(family, (theta, points), fast_mode=True)


@pytest.mark.parametrize("cells", DIMENSIONS, ids=str)
def test_the_dimensions_are_those_of_libcpab(cells):
    found = tuple(cpab(cells=list(cells), volume_preserving=volume).n_params for volume in (False, True))
    assert found == DIMENSIONS[cells]


def test_points_move_as_those_of_libcpab():
    velocities = torch.tensor([VELOCITIES], dtype=torch.float64).view(1, 2, -1).transpose(1, 2)
    points = torch.tensor([POINTS], dtype=torch.float64)
    found = stnkit.families.flow(velocities, points, cpab(cells=[2, 3]).tessellation)[0]
    # Its steps are rounded to float32.
    assert (found - torch.tensor(MAPPED)).abs().max() <= 2e-4


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_the_field_of_minus_theta_is_the_inverse(options):
    family, points = cpab(**options), points_within(1.2)
    theta = drawn(family, scale=1.0)
    torch.testing.assert_close(family(-theta, family(theta, points)), points.expand(2, -1, -1), atol=1e-9, rtol=0)
    torch.testing.assert_close(
        family.inverse(theta, family(theta, points)), points.expand(2, -1, -1), atol=1e-9, rtol=0
    )


def test_two_halves_of_the_time_are_the_whole():
    family, points = cpab(), points_within(1.0)
    theta = drawn(family)
    torch.testing.assert_close(family(theta / 2, family(theta / 2, points)), family(theta, points), atol=1e-10, rtol=0)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 2.0), zero=st.booleans(), volume=st.booleans())
def test_no_map_folds(seed, scale, zero, volume):
    family = cpab(cells=[2, 3], zero_boundary=zero, volume_preserving=volume)
    assert stnkit.folds(family, drawn(family, seed=seed, scale=scale), (7, 6)).max() == 0


@pytest.mark.slow
def test_a_volume_preserving_map_keeps_areas():
    family = cpab(volume_preserving=True)
    found = stnkit.jacobian_determinant(family, drawn(family, scale=1.0), (13, 11))
    torch.testing.assert_close(found, torch.ones_like(found), atol=1e-9, rtol=0)


def test_the_square_is_mapped_to_itself_along_its_edges():
    family = cpab(cells=[3, 2])
    edge = stnkit.coordinates.border(20, dtype=torch.float64)[None]
    moved = family(drawn(family, scale=1.0), edge)
    on = edge.abs() == 1
    torch.testing.assert_close(
        moved[on.expand_as(moved)], edge.expand_as(moved)[on.expand_as(moved)], atol=1e-12, rtol=0
    )
    assert (moved - edge).abs().max() > 0.1
    assert family(drawn(family, scale=3.0), points_within(1.0)).abs().max() <= 1 + 1e-12


@pytest.mark.parametrize("zero", [True, False])
def test_the_map_is_continuous_across_every_edge(zero):
    family = cpab(zero_boundary=zero)
    theta, points = drawn(family), points_within(1.4, n=200)
    ends = torch.cat(
        [points, family.tessellation.vertices[None], stnkit.coordinates.border(6, dtype=torch.float64)[None]], 1
    )
    step = 1e-7 * (points_within(1.0, n=ends.shape[1], seed=3))
    assert (family(theta, ends + step) - family(theta, ends)).abs().max() <= 1e-5


def test_points_on_vertices_and_edges_come_to_an_end():
    family = cpab(zero_boundary=False)
    points = torch.cat([family.tessellation.vertices, family.tessellation.vertices / 2 + 0.5])[None]
    still = torch.zeros(1, family.n_params, dtype=torch.float64)
    torch.testing.assert_close(family(still, points), points, atol=1e-15, rtol=0)
    # Fields along an axis, whose trajectories run on edges and through vertices.
    for axis in (0, 1):
        along = still.clone().view(1, 2, -1)
        along[:, axis] = 0.7
        moved = family(along.flatten(1), points) - points
        torch.testing.assert_close(moved[..., axis], torch.full_like(moved[..., axis], 0.7), atol=1e-12, rtol=0)
    # A vortex, a source and a sink around every vertex.
    for sign in (-1.0, 1.0):
        source = (sign * family.tessellation.vertices.T.flatten())[None]
        assert family(source, points).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", OPTIONS[::3], ids=str)
def test_the_kernel_and_the_composite_agree(options, dtype):
    family, generator = cpab(**options), torch.Generator().manual_seed(0)
    weight = torch.rand(2, 40, 2, generator=generator, dtype=dtype)
    for scale in (0.02, 0.5, 2.0):
        theta, points = drawn(family, scale=scale).to(dtype), points_within(1.2).to(dtype)
        ways = []
        for way in (contextlib.nullcontext(), stnkit.native.disabled()):
            inputs = theta.clone().requires_grad_(), points.clone().requires_grad_()
            with way:
                ends = family(*inputs)
                ways.append((ends, *torch.autograd.grad(ends, inputs, weight)))
        for ours, theirs in zip(*ways, strict=True):
            tolerance = 1e3 * torch.finfo(dtype).eps * float(theirs.detach().abs().max().clamp_min(1))
            torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS[::3], ids=str)
def test_the_kernel_and_the_composite_agree_at_vertices(options):
    # There the map has a kink, so that its derivatives depend on the side, and its values on the rounding of the field.
    family = cpab(**options)
    theta, vertices = drawn(family, scale=2.0), family.tessellation.vertices[None]
    with stnkit.native.disabled():
        expected = family(theta, vertices)
    torch.testing.assert_close(family(theta, vertices), expected, atol=1e-9, rtol=0)


def test_velocities_beyond_the_bound_are_clamped():
    family, points = cpab(cells=[2, 2]), points_within(1.0, n=5)
    theta = torch.full((1, family.n_params), 1e30, dtype=torch.float64)
    assert torch.equal(family(theta, points), family(theta / 1e20, points))
    assert family.velocities(theta).abs().max() == 8.0


@pytest.mark.parametrize("shift", [1.0, 8.0])
def test_volume_preserving_fields_reach_all_velocities(shift):
    family = cpab(cells=[6, 6], zero_boundary=False, volume_preserving=True)
    n_vertices = len(family.tessellation.vertices)
    theta = shift * family._basis[None, :, :n_vertices].sum(dim=2)
    expected = torch.tensor([shift, 0.0], dtype=torch.float64)
    torch.testing.assert_close(family(theta, torch.zeros(1, 1, 2).double())[0, 0], expected, atol=1e-12, rtol=0)


def test_fast_volume_preserving_fields_keep_their_direction():
    family = cpab(volume_preserving=True)
    theta = drawn(family)
    theta = theta / theta.norm(dim=1, keepdim=True)
    fastest = family.velocities(theta).abs().amax(dim=(1, 2), keepdim=True)
    torch.testing.assert_close(family.velocities(50 * theta), family.velocities(theta) * 8 / fastest)
    for beyond in (1e30, torch.inf):
        velocities = family.velocities(theta * beyond)
        assert velocities.abs().amax(dim=(1, 2)).tolist() == pytest.approx([8.0, 8.0])
        assert family.tessellation.divergence(velocities).abs().max() < 1e-12


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cells": [3]}, "cells: expected 2 whole numbers of at least 1, got [3]"),
        ({"cells": [0, 3]}, "cells: expected 2 whole numbers of at least 1, got [0, 3]"),
        (
            {"cells": [1, 1], "volume_preserving": True},
            "cells: expected more of them with these constraints, got [1, 1]",
        ),
    ],
)
def test_cells_without_a_field_are_refused(options, message):
    with pytest.raises(InputError) as caught:
        cpab(**options)
    assert message in str(caught.value)


def test_families_of_the_same_cells_share_their_constants():
    first, second = cpab(cells=[2, 3]).tessellation, copy.deepcopy(cpab(cells=[2, 3]).tessellation)
    assert first is not second
    assert first == second
    assert first != cpab(cells=[3, 2]).tessellation
    like = torch.zeros(1)
    assert first.charts_like(like).inverse is second.charts_like(like).inverse
    assert first.dense_like(like) is second.dense_like(like)
