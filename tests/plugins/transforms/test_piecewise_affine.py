import itertools
import math

import numpy as np
import pytest
import torch
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import Delaunay

import stnkit
from stnkit.families import lattice_basis
from stnkit_plugins.transforms import piecewise_affine

from .meshes import SHAPES, mesh, moved, positions, rand

LARGE = [shape for shape in SHAPES if math.prod(shape) > 36]


def searched(family, theta, points):
    """T_θ at points of the mesh by the weights of the first triangle that holds a point, each solved for."""
    nodes, values = positions(family).numpy(), theta.view(family.ndim, -1).T.numpy()
    triangles = family.triangles.numpy()
    corners = np.concatenate([nodes[triangles], np.ones((*triangles.shape, 1))], axis=-1).swapaxes(1, 2)
    result = []
    for point in points.numpy():
        weights = np.linalg.solve(corners, np.append(point, 1.0)[:, None])[..., 0]
        holder = np.argmax(weights.min(axis=1) >= -1e-12)
        assert weights[holder].min() >= -1e-12
        result.append(weights[holder] @ values[triangles[holder]])
    return np.stack(result)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_triangles_fill_the_square_without_overlap(shape):
    family = mesh(shape)
    corners = positions(family)[family.triangles]
    volumes = torch.linalg.det(corners.diff(dim=1)).abs() / math.factorial(family.ndim)
    assert len(family.triangles) == math.prod(n - 1 for n in shape) * math.factorial(family.ndim)
    assert volumes.min() > 0
    assert volumes.sum().item() == pytest.approx(2**family.ndim)
    # Each stays within a cell, and a random point is in exactly one of them.
    cell = torch.tensor([2 / (n - 1) for n in shape[::-1]], dtype=torch.float64)
    assert (corners.amax(dim=1) - corners.amin(dim=1) - cell).abs().max() <= 1e-12
    system = torch.cat([corners, torch.ones_like(corners[..., :1])], dim=-1).transpose(1, 2)
    points = torch.cat([rand(20, family.ndim), torch.ones(20, 1)], dim=1)
    weights = torch.linalg.solve(system, points.T.expand(len(system), -1, -1))
    assert ((weights > 0).all(dim=1).sum(dim=0) == 1).all()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_a_search_through_all_triangles(shape):
    family = mesh(shape)
    theta = family.identity() + rand(1, family.n_params)
    points = torch.cat([rand(60, family.ndim, seed=1), positions(family)])
    got = family(theta, points[None])[0]
    np.testing.assert_allclose(got, searched(family, theta[0], points), rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", [[3, 5], [4, 4], [8, 9]], ids=str)
def test_agrees_with_scipy_where_the_diagonal_does_not_matter(shape):
    family = mesh(shape)
    nodes = positions(family)
    # Anything on the lines of the lattice; what is a sum of functions of x and of y everywhere.
    along = rand(50, 2, seed=1)
    snapped = torch.randint(0, shape[1], (50,), generator=torch.Generator().manual_seed(2)).double()
    along[:, 0] = 2 * snapped / (shape[1] - 1) - 1
    x, y = nodes.T
    separable = torch.stack([torch.sin(3 * x) + y**2, x**3 - torch.cos(2 * y)]).flatten()
    for theta, points in ((family.identity() + rand(family.n_params), along), (separable, rand(50, 2))):
        oracle = LinearNDInterpolator(Delaunay(nodes.numpy()), theta.view(2, -1).T.numpy())
        np.testing.assert_allclose(family(theta[None], points[None])[0], oracle(points.numpy()), rtol=0, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_takes_control_points_to_theta(shape):
    family = mesh(shape)
    theta = family.identity() + rand(2, family.n_params)
    source = family(theta, positions(family)[None])
    assert (source.transpose(1, 2).flatten(start_dim=1) - theta).abs().max() <= 1e-12


def test_cells_are_cut_along_the_diagonal_of_equal_coordinates():
    family = mesh([2, 2])
    assert family.triangles.tolist() == [[0, 1, 3], [0, 2, 3]]
    assert family.identity().tolist() == [-1, 1, -1, 1, -1, -1, 1, 1]
    theta = family.identity()[None].clone()
    theta[0, 1] += 1  # x of the corner (1, -1), which only the triangle x ≥ y has
    points = torch.tensor([[[0.5, 0.0], [0.0, 0.0], [0.0, 0.5]]], dtype=torch.float64)
    assert (family(theta, points) - points)[0, :, 0].tolist() == pytest.approx([0.25, 0, 0])


def test_the_default_has_four_points_on_each_axis():
    assert (mesh().n_params, mesh(ndim=3).n_params) == (32, 192)
    assert (len(mesh().triangles), len(mesh(ndim=3).triangles)) == (18, 162)


def test_identity_of_a_fine_mesh():
    family = mesh([32, 32])
    theta = family.identity()[None]
    lattice = stnkit.coordinates.lattice((5, 9), dtype=torch.float64)
    assert (family.grid(theta, (5, 9)) - lattice).abs().max() <= 1e-12
    assert (family.grid(theta.float(), (5, 9)) - lattice).abs().max() <= 1e-6
    points = 2 * rand(1, 30, 2)
    assert (family(theta, points) - points).abs().max() <= 1e-12


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_affine_maps_are_reproduced_on_the_mesh_and_outside(shape):
    family = mesh(shape)
    matrix, shift = rand(family.ndim, family.ndim), rand(family.ndim, 1)
    theta = (matrix @ positions(family).T + shift).flatten()[None]
    points = 3 * rand(1, 50, family.ndim, seed=1)
    assert (family(theta, points) - (points @ matrix.T + shift.T)).abs().max() <= 1e-12


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_outside_the_nearest_piece_extends(shape):
    family = mesh(shape)
    theta = family.identity() + 0.3 * rand(1, family.n_params)
    # Beside an edge or face the nearest piece is known: the point of the mesh next to it is in it.
    outside = 1.5 * rand(400, family.ndim)
    outside = outside[(outside.abs() > 1).sum(dim=1) == 1]
    nearest = outside.clamp(-1, 1)
    step = 1e-6
    inward = nearest - step * (outside - nearest)
    slope = (family(theta, nearest[None]) - family(theta, inward[None])) / step
    expected = family(theta, nearest[None]) + slope
    assert (family(theta, outside[None]) - expected).abs().max() <= 1e-8


@pytest.mark.parametrize("shape", [[3, 5], [8, 9], [4, 4, 5]], ids=str)
def test_the_extension_is_continuous_beyond_and_at_the_border(shape):
    family = mesh(shape)
    theta = family.identity() + 0.3 * rand(1, family.n_params)
    beyond = rand(50, family.ndim)
    beyond = beyond.sign() * (1 + beyond.abs())
    on_diagonal = beyond.sign() * beyond[:, :1].abs()
    from_border = beyond.sign() * torch.cat([torch.ones(50, 1), beyond[:, 1:].abs()], dim=1)
    on_border = rand(50, family.ndim)
    on_border[:, 0] = on_border[:, 0].sign()
    for points in (on_diagonal, from_border, on_border):
        step = 1e-10 * rand(len(points), family.ndim, seed=1)
        jump = family(theta, (points + step)[None]) - family(theta, (points - step)[None])
        assert jump.abs().max() <= 1e-7


@pytest.mark.parametrize("shape", [[4, 4], [2, 3, 2]], ids=str)
def test_a_chunked_grid_and_its_gradient_equal_the_cached_ones(shape, monkeypatch):
    monkeypatch.setattr(lattice_basis, "BASIS_CHUNK_BYTES", 8 * 40 * 16)
    size = (13, 17) if len(shape) == 2 else (5, 6, 7)
    weight = rand(2, *size, len(shape))
    results = []
    for max_bytes in (2**20, 0):
        family = mesh(shape)
        family._lattice_basis._cache.max_bytes = max_bytes
        theta = moved(family).requires_grad_()
        grid = family.grid(theta, size)
        (grid * weight).sum().backward()
        assert len(family._lattice_basis._cache) == (1 if max_bytes else 0)
        results.append((grid.detach(), theta.grad))
    for kept, in_chunks in zip(*results, strict=True):
        assert (kept - in_chunks).abs().max() <= 1e-12


@pytest.mark.parametrize("shape", [[4, 5], [2, 3, 2]], ids=str)
def test_a_large_grid_for_one_image_is_made_along_the_axes(shape, monkeypatch):
    family, size = mesh(shape), (9, 7) if len(shape) == 2 else (4, 5, 6)
    theta = moved(family, n=1)
    dense = family.grid(theta, size)
    monkeypatch.setattr(piecewise_affine, "LARGE_BASIS", 0)
    along_axes = mesh(shape)
    torch.testing.assert_close(along_axes.grid(theta, size), dense, atol=1e-14, rtol=0)
    assert (len(family._lattice_basis._cache), len(along_axes._lattice_basis._cache)) == (1, 0)


@pytest.mark.parametrize("shape", LARGE, ids=str)
def test_large_meshes_keep_no_basis(shape):
    family = mesh(shape)
    family.grid(moved(family), (8,) * family.ndim)
    assert len(family._lattice_basis._cache) == 0


@pytest.mark.parametrize("shape", [[3, 3], [2, 2, 3]], ids=str)
def test_gradients_on_edges_are_those_of_a_neighboring_piece(shape):
    family = mesh(shape)
    theta = moved(family, n=1).requires_grad_()
    points = torch.cat([positions(family), torch.zeros(1, family.ndim), torch.full((1, family.ndim), 0.5)])[None]
    points.requires_grad_()
    for d in range(family.ndim):
        source = family(theta, points)
        grad_theta, grad = torch.autograd.grad(source[..., d].sum(), (theta, points))
        assert grad_theta.isfinite().all()
        edges = theta.detach().view(family.ndim, -1)[:, family.triangles].diff(dim=-1)[d]
        reach = positions(family)[family.triangles].diff(dim=1)
        slopes = torch.linalg.solve(reach, edges[..., None])[..., 0]
        assert (grad[0][:, None] - slopes).abs().amax(dim=-1).amin(dim=1).max() <= 1e-10


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_weights_are_barycentric(shape):
    family = mesh(shape)
    points = torch.cat([rand(50, family.ndim), positions(family)])
    basis = family.basis(points)
    assert basis.shape == (len(points), math.prod(shape))
    assert basis.min() >= -1e-12
    assert ((basis != 0).sum(dim=1) <= family.ndim + 1).all()
    assert (basis.sum(dim=1) - 1).abs().max() <= 1e-12
    assert (basis @ positions(family) - points).abs().max() <= 1e-12
    assert (family.basis(3 * points).sum(dim=1) - 1).abs().max() <= 1e-12


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [[4, 4], [8, 9], [4, 4, 5]], ids=str)
def test_a_nonfinite_theta_leaves_grids_finite_and_others_right(shape, value):
    family = mesh(shape)
    theta = moved(family)
    size = (5,) * family.ndim
    expected = family.grid(theta, size)
    theta[0, 3] = value
    theta.requires_grad_()
    grid = family.grid(theta, size)
    assert grid.isfinite().all()
    assert (grid[1] - expected[1]).abs().max() <= 1e-12
    grid.sum().backward()
    assert theta.grad.isfinite().all()
    points = rand(1, 10, family.ndim)
    back = family.inverse(theta.detach(), points)
    assert (back[1] - family.inverse(theta.detach()[1:], points)[0]).nan_to_num().abs().max() <= 1e-12
    assert family.folds(theta)[0].any()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_folds_are_the_pieces_that_turn_over(shape):
    family = mesh(shape)
    assert not family.folds(family.identity()[None]).any()
    mirrored = family.identity().view(family.ndim, -1).clone()
    mirrored[0] *= -1
    assert family.folds(mirrored.flatten()[None]).all()
    theta = family.identity() + rand(2, family.n_params)
    # The sign of the Jacobian's determinant at the centers of the pieces.
    centers = positions(family)[family.triangles].mean(dim=1)[None].expand(2, -1, -1).clone().requires_grad_()
    source = family(theta, centers)
    rows = [torch.autograd.grad(source[..., d].sum(), centers, retain_graph=True)[0] for d in range(family.ndim)]
    assert torch.equal(family.folds(theta), torch.linalg.det(torch.stack(rows, dim=-2)) <= 0)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("shape", [[8, 9], [4, 4, 5]], ids=str)
@pytest.mark.slow
def test_compiles_exports_and_maps_over_theta(shape):
    family = mesh(shape)
    theta = moved(family).float()
    size = (6, 5, 3)[: family.ndim]
    expected = family.grid(theta, size)
    inside = mesh(shape)

    class Grid(torch.nn.Module):
        def forward(self, theta):
            return inside.grid(theta, size)

    compiled = torch.compile(Grid(), fullgraph=True, backend="aot_eager")
    exported = torch.export.export(Grid(), (theta,)).module()
    mapped = torch.vmap(lambda t: family.grid(t[None], size)[0])
    for call, kind in itertools.zip_longest((compiled, exported, mapped), ("compiled", "exported", "mapped")):
        assert (call(theta) - expected).abs().max() <= 1e-6, kind


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"control_points": [1, 4]}, r"of at least 2.*\[1, 4\]"),
        ({"control_points": [4]}, "2 whole numbers"),
        ({"control_points": [4, 4, 4]}, "2 whole numbers"),
        ({"control_points": [4, 4], "ndim": 3}, "3 whole numbers"),
        ({"control_points": []}, "2 whole numbers"),
        ({"control_points": [4, 4.5]}, "2 whole numbers"),
        ({"control_points": [4, True]}, "2 whole numbers"),
        ({"ndim": 4}, "2 or 3.*4"),
        ({"ndim": 1}, "2 or 3.*1"),
    ],
    ids=str,
)
def test_bad_options_are_refused_in_one_sentence(options, said):
    from stnkit_plugins.transforms.piecewise_affine import PiecewiseAffine

    with pytest.raises(stnkit.errors.InputError, match=said) as refused:
        PiecewiseAffine(**options)
    assert "\n" not in str(refused.value)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("shape", [[4, 4], [8, 9]], ids=str)
def test_it_does_not_compose(shape):
    family = mesh(shape)
    theta = torch.zeros(2, family.n_params)
    with pytest.raises(stnkit.errors.DoesNotComposeError, match="PiecewiseAffine does not compose"):
        family.compose(theta, theta)
