"""Piecewise affine maps between scattered points, against SciPy's Delaunay triangulation."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import ConvexHull, Delaunay

import stnkit
from stnkit.families import lattice_basis
from stnkit_plugins.transforms import piecewise_affine
from tests.helpers import lattice_points

from .meshes import mesh, rand
from .scattered_meshes import in_hull, moved, of_positions, positions, scattered

FIVE = [[-0.9, -0.8], [0.7, -1.0], [0.1, 0.2], [-0.6, 0.9], [1.1, 0.6]]
SIZES = {2: (9, 12), 3: (4, 5, 6)}
COUNTS = [(5, 2), (12, 2), (40, 2), (8, 3), (30, 3)]


@pytest.mark.parametrize(("n", "ndim"), COUNTS)
def test_agrees_with_scipy_inside_the_hull(n, ndim):
    family = scattered(n, ndim)
    theta = family.identity() + rand(2, family.n_params)
    points = torch.cat([in_hull(family), positions(family)])
    for row, source in zip(theta, family(theta, points[None]), strict=True):
        oracle = LinearNDInterpolator(Delaunay(positions(family).numpy()), row.view(ndim, -1).T.numpy())
        np.testing.assert_allclose(source[:-n], oracle(points[:-n].numpy()), rtol=0, atol=1e-10)
        np.testing.assert_allclose(source[-n:], row.view(ndim, -1).T, rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", [[3, 4], [3, 3, 3], [2, 4, 3]], ids=str)
def test_pieces_between_points_of_a_lattice_fit_together(shape):
    # Many points on one circle or sphere: between those of a sphere Qhull puts tetrahedra without volume.
    points = stnkit.families.control_positions(shape, len(shape))
    family = of_positions(points.tolist())
    volumes = torch.linalg.det(points[family.triangles].diff(dim=1)).abs() / math.factorial(len(shape))
    assert volumes.min() > 1e-3
    assert volumes.sum().item() == pytest.approx(2 ** len(shape))
    sides = [side for piece in family.triangles.tolist() for side in itertools.combinations(piece, len(shape))]
    inner = [side for side in sides if not (points[list(side)].abs() == 1).all(dim=0).any()]
    assert all(inner.count(side) == 2 for side in inner)
    theta = family.identity() + rand(1, family.n_params)
    at = rand(1, 3000, len(shape))
    jump = family(theta, at + 1e-9 * rand(*at.shape, seed=1)) - family(theta, at)
    assert jump.abs().max() <= 1e-6


@pytest.mark.parametrize(("n", "ndim"), COUNTS)
def test_identity_and_affine_maps_are_reproduced_everywhere(n, ndim):
    family = scattered(n, ndim)
    points = 2 * rand(1, 200, ndim)
    assert (family(family.identity()[None], points) - points).abs().max() <= 1e-10
    matrix, shift = rand(ndim, ndim), rand(ndim, 1)
    theta = (matrix @ positions(family).T + shift).flatten()[None]
    assert (family(theta, points) - (points @ matrix.T + shift.T)).abs().max() <= 1e-10


@pytest.mark.parametrize("n", [3, 5, 12, 40])
def test_outside_the_hull_the_piece_at_the_nearest_edge_extends(n):
    family = scattered(n, seed=1)
    theta = family.identity() + 0.3 * rand(1, family.n_params)
    hull = ConvexHull(positions(family).numpy())
    a, b = (positions(family)[torch.from_numpy(hull.simplices[:, k]).long()] for k in (0, 1))
    normal = torch.from_numpy(hull.equations[:, :2].copy())
    share, height = (1 + rand(20, len(a), 1, seed=2)) / 2, 1 + rand(20, len(a), 1, seed=3)
    # Straight out from a point of an edge, and so nearest to that edge.
    on_edge = (a + share * (b - a)).view(-1, 2)
    outward = (height * normal).view(-1, 2)
    step = 1e-6
    slope = (family(theta, on_edge[None]) - family(theta, (on_edge - step * outward)[None])) / step
    expected = family(theta, on_edge[None]) + slope
    error = (family(theta, (on_edge + outward)[None]) - expected).abs().amax(dim=-1)
    # The step leaves a thin piece near its corners.
    assert (error <= 1e-6).double().mean() >= 0.99
    jump = family(theta, (on_edge + 1e-10 * outward)[None]) - family(theta, (on_edge - 1e-10 * outward)[None])
    assert jump.abs().max() <= 1e-6


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), exponent=st.integers(-8, -4))
def test_points_too_close_are_refused_or_mapped_right(seed, exponent):
    # Qhull's triangles overlap for some of them.
    points = rand(18, 2, seed=seed)
    near = points[:3] + 2 * 10.0**exponent * torch.nn.functional.normalize(rand(3, 2, seed=seed + 1))
    try:
        family = of_positions(torch.cat([points, near]).tolist())
    except stnkit.errors.InputError:
        return
    theta = family.identity() + 0.1 * rand(1, family.n_params)
    at_points = family(theta, positions(family)[None]).transpose(1, 2).flatten(start_dim=1)
    assert (at_points - theta).abs().max() <= 1e-5
    points = rand(1, 200, 2)
    assert (family(family.identity()[None], points) - points).abs().max() <= 1e-5


def test_points_that_nearly_coincide_are_refused_or_met():
    # Which triangles overlap follows from roundings, in which processors differ.
    refusals = []
    for seed, distance in itertools.product(range(12), (1.2e-9, 1.5e-9, 2e-9)):
        points = rand(18, 2, seed=seed)
        points = torch.cat([points, points[:3] + distance])
        try:
            family = of_positions(points.tolist())
        except stnkit.errors.InputError as error:
            refusals.append(str(error))
        else:
            theta = 1.5 * points.T.reshape(1, -1)
            assert (family(theta, points[None]) - 1.5 * points).abs().max() <= 1e-4
    assert refusals
    for refusal in refusals:
        assert re.search(r"farther apart for a triangulation, got \d+ at .* [123]e-09 from another", refusal)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "ndim"), [(6, 2), (7, 3)])
def test_gradients_agree_with_finite_differences(n, ndim):
    family = scattered(n, ndim, corners=True)
    theta = moved(family).requires_grad_()
    points = (0.9 * rand(2, 4, ndim)).requires_grad_()
    assert torch.autograd.gradcheck(family, (theta, points))
    assert torch.autograd.gradcheck(family.inverse, (theta, family(theta, points).detach().requires_grad_()))


@pytest.mark.parametrize(("n", "ndim"), [(20, 2), (12, 3)])
def test_every_form_of_the_grid_is_forward_on_the_pixels(n, ndim, monkeypatch):
    monkeypatch.setattr(lattice_basis, "BASIS_CHUNK_BYTES", 8 * 40 * 16)
    size = SIZES[ndim]
    weight, results = rand(2, *size, ndim), []
    for form in ("cached", "chunked", "local", "one at a time"):
        family = scattered(n, ndim)
        monkeypatch.setattr(piecewise_affine, "SCATTERED_POINTS", 0 if form == "local" else 200)
        monkeypatch.setattr(piecewise_affine, "LARGE_BASIS", 0 if form == "one at a time" else 2**30)
        if form == "chunked":
            family._lattice_basis._cache.max_bytes = 0
        theta = moved(family).requires_grad_()
        rows = theta.split(1) if form == "one at a time" else [theta]
        grid = torch.cat([family.grid(row, size) for row in rows])
        (grid * weight).sum().backward()
        assert len(family._lattice_basis._cache) == (form == "cached")
        assert len(family._mesh._cache) == (form in ("local", "one at a time"))
        results.append((grid.detach(), theta.grad))
    expected = family(theta, lattice_points(size)).view_as(grid).detach()
    for grid, gradient in results:
        assert (grid - expected).abs().max() <= 1e-12
        assert (gradient - results[0][1]).abs().max() <= 1e-12


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("local", [True, False])
def test_a_nonfinite_theta_leaves_grids_finite(value, local, monkeypatch):
    monkeypatch.setattr(piecewise_affine, "SCATTERED_POINTS", 0 if local else 200)
    family = scattered(10)
    theta = moved(family)
    expected = family.grid(theta, (5, 6))
    theta[0, 3] = value
    theta.requires_grad_()
    grid = family.grid(theta, (5, 6))
    assert grid.isfinite().all()
    assert (grid[1] - expected[1]).abs().max() <= 1e-12
    grid.sum().backward()
    assert theta.grad.isfinite().all()


def test_beyond_thin_pieces_float32_keeps_its_digits():
    points = [[-1.0, -1.0], [1.0, -1.0], [0.0, -0.999], [-0.7, 0.9], [0.8, 0.9], [0.1, 0.899]]
    family = of_positions(points)
    assert family.wide
    theta = (family.identity() + 0.001 * rand(2, family.n_params)).float()
    expected = family(theta.double(), lattice_points((12, 9)))
    grid = family.grid(theta, (12, 9)).view_as(expected)
    assert ((grid - expected).abs() / expected.abs().clamp_min(1)).max() <= 1e-6
    assert not scattered(10, corners=True).wide


@pytest.mark.parametrize("control_points", [[4, 5], [3, 3, 4], FIVE], ids=str)
@pytest.mark.parametrize("pinned", ["borders", [0, 2]], ids=str)
def test_a_pinned_map_is_that_of_the_identity_in_theta(control_points, pinned):
    lattice = isinstance(control_points[0], int)
    ndim = len(control_points) if lattice else 2
    family, whole = (mesh(control_points, ndim=ndim, pinned=chosen) for chosen in (pinned, None))
    n_points = len(positions(whole))
    free = [k for k in range(n_points) if k not in family.pinned]
    assert torch.equal(family.identity(), whole.identity().view(ndim, -1)[:, free].flatten())
    theta = family.identity() + 0.2 * rand(2, family.n_params)
    filled = whole.identity().view(1, ndim, -1).repeat(2, 1, 1)
    filled[:, :, free] = theta.view(2, ndim, -1)
    filled = filled.flatten(start_dim=1)
    points, size = 1.3 * rand(1, 60, ndim), SIZES[ndim]
    assert torch.equal(family(theta, points), whole(filled, points))
    assert torch.equal(family.grid(theta, size), whole.grid(filled, size))
    torch.testing.assert_close(family.inverse(theta, points), whole.inverse(filled, points), equal_nan=True)
    assert torch.equal(family.folds(theta), whole.folds(filled))


@pytest.mark.parametrize("shape", [[4, 5], [8, 9], [3, 4, 4]], ids=str)
def test_with_pinned_borders_the_edge_of_the_image_stays(shape):
    family = mesh(shape, pinned="borders")
    assert family.n_params == family.ndim * math.prod(n - 2 for n in shape)
    theta = family.identity() + 0.2 * rand(2, family.n_params)
    edge = rand(60, family.ndim)
    edge[torch.arange(60), torch.arange(60) % family.ndim] = edge[:, 0].sign()
    assert (family(theta, edge[None]) - edge).abs().max() <= 1e-12
    assert (family(theta, 0.5 * edge[None]) - 0.5 * edge).abs().max() >= 1e-2


def test_borders_of_scattered_points_are_those_on_their_hull():
    assert of_positions(FIVE, pinned="borders").pinned == (0, 1, 3, 4)
    assert "5 control points, 4 pinned" in repr(of_positions(FIVE, pinned="borders"))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("pinned", [None, "borders"])
@pytest.mark.slow
def test_scattered_points_compile_export_and_map_over_theta(pinned):
    family, inside = (scattered(12, pinned=pinned) for _ in range(2))
    theta = moved(family).float()
    expected = family.grid(theta, (6, 5))

    class Grid(torch.nn.Module):
        def forward(self, theta):
            return inside.grid(theta, (6, 5))

    compiled = torch.compile(Grid(), fullgraph=True, backend="aot_eager")
    exported = torch.export.export(Grid(), (theta,)).module()
    mapped = torch.vmap(lambda t: family.grid(t[None], (6, 5))[0])
    for call in (compiled, exported, mapped):
        assert (call(theta) - expected).abs().max() <= 1e-6


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"control_points": [[0, 0], [1, 0], [0, 1], [1.0, 0.0]]}, r"coincident ones: 1 and 3 at \[1.0, 0.0\]"),
        ({"control_points": [[0, 0], [1, 1], [0.5, 0.5]]}, "one line"),
        ({"control_points": [[0, 0], [1, 1]]}, "one line"),
        ({"control_points": [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], "ndim": 3}, "one plane"),
        ({"control_points": [[0, 0, 1], [1, 0, 1], [0, 1, 1]]}, "positions of 2 coordinates"),
        ({"control_points": [[0, 0], [1, math.nan], [0, 1]]}, "finite"),
        ({"control_points": [[0, 0], [1, 0], [0, 1e300]]}, r"finite positions within ±1e\+06, got"),
        ({"control_points": [[0, 0], [1e5, 0], [2e5, 2e-9], [3e5, 0]]}, "one line or plane but for rounding, got"),
        ({"control_points": [[0, 0], 3, [0, 1]]}, "control_points: expected"),
        ({"pinned": "edges"}, "pinned: expected borders, or .* from 0 to 15, got 'edges'"),
        ({"control_points": FIVE, "pinned": [5]}, r"pinned: expected borders, or .* from 0 to 4, got \[5\]"),
        ({"control_points": FIVE[:3], "pinned": "borders"}, "a control point that is free, got borders, all 3"),
    ],
    ids=str,
)
def test_bad_positions_are_refused_in_one_sentence(options, said):
    with pytest.raises(stnkit.errors.InputError, match=said) as refused:
        stnkit.build("transform", "piecewise_affine", **options)
    assert "\n" not in str(refused.value)
