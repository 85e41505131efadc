import copy
import io
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator

import stnkit
from stnkit.families import lattice_basis
from tests.helpers import lattice_points

SHAPES = [[2, 2], [4, 4], [3, 5], [7, 2], [2, 2, 2], [3, 2, 4]]
KERNELS = {2: "thin_plate_spline", 3: "linear"}
CLOSE = [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.001, 0.0]]
SCATTERED = [[-0.9, -0.8], [0.7, -1.0], [0.1, 0.2], [-0.6, 0.9], [1.1, 0.6]]


def tps(control_points=None, **options):
    if control_points is not None and not isinstance(control_points[0], list):
        options.setdefault("ndim", len(control_points))
    return stnkit.build("transform", "tps", control_points=control_points, **options)


def rand(*shape, seed=0):
    return 2 * torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) - 1


def bent(family, n=2, spread=0.1, seed=0):
    return family.identity() + spread * rand(n, family.n_params, seed=seed)


@pytest.mark.parametrize("regularization", [0.0, 1e-3, 0.1, 10.0, 1e6])
@pytest.mark.parametrize("control_points", [*SHAPES, SCATTERED], ids=str)
def test_agrees_with_scipy(control_points, regularization):
    family = tps(control_points, regularization=regularization)
    theta = bent(family)
    points = torch.cat([2 * rand(50, family.ndim), family.control_points])
    source = family(theta, points[None])
    for row, got in zip(theta, source, strict=True):
        values = row.view(family.ndim, -1).T.numpy()
        oracle = RBFInterpolator(
            family.control_points, values, kernel=KERNELS[family.ndim], degree=1, smoothing=regularization
        )
        np.testing.assert_allclose(got, oracle(points.numpy()), rtol=0, atol=1e-10)


@pytest.mark.parametrize("control_points", [*SHAPES, SCATTERED], ids=str)
def test_takes_control_points_to_theta(control_points):
    family = tps(control_points)
    theta = bent(family)
    source = family(theta, family.control_points[None])
    assert (source.transpose(1, 2).flatten(start_dim=1) - theta).abs().max() <= 1e-12


def test_regularization_bends_less_and_keeps_affine_maps():
    stiff, soft = tps(regularization=5.0), tps()
    theta = bent(soft)
    stiff_bend, soft_bend = (f.coefficients(theta)[..., :16].norm() for f in (stiff, soft))
    assert stiff_bend < 0.2 * soft_bend
    matrix, shift = rand(2, 2), rand(2, 1)
    theta = (matrix @ stiff.control_points.T + shift).flatten()[None]
    points = rand(1, 30, 2, seed=1)
    assert (stiff(theta, points) - (points @ matrix.T + shift.T)).abs().max() <= 1e-12


def test_control_points_lie_on_a_lattice_with_x_fastest():
    family = tps([2, 3])
    expected = [[-1, -1], [0, -1], [1, -1], [-1, 1], [0, 1], [1, 1]]
    assert family.control_points.tolist() == expected
    assert family.identity().tolist() == [-1, 0, 1, -1, 0, 1, -1, -1, -1, 1, 1, 1]
    assert tps([2, 3, 4]).control_points[[0, 1, 4, 12]].tolist() == [
        [-1, -1, -1],
        [pytest.approx(-1 / 3), -1, -1],
        [-1, 0, -1],
        [-1, -1, 1],
    ]


def test_the_default_is_the_paper_with_32_parameters():
    assert tps().n_params == 32
    assert tps(ndim=3).n_params == 3 * 64


def test_explicit_positions_give_what_the_same_lattice_gives():
    lattice = tps([3, 4])
    explicit = tps(lattice.control_points.tolist())
    theta = bent(lattice)
    assert torch.equal(lattice.grid(theta, (5, 6)), explicit.grid(theta, (5, 6)))


@pytest.mark.slow
@pytest.mark.parametrize("control_points", [SCATTERED, [32, 32]], ids=str)
def test_identity(control_points):
    family = tps(control_points)
    theta = family.identity()[None]
    size = (5, 9) if family.ndim == 2 else (3, 4, 5)
    lattice = stnkit.coordinates.lattice(size, dtype=torch.float64)
    assert (family.grid(theta, size) - lattice).abs().max() <= 1e-12
    assert (family.grid(theta.float(), size) - lattice).abs().max() <= 1e-6
    assert (family(theta, 2 * rand(1, 30, family.ndim)) - 2 * rand(1, 30, family.ndim)).abs().max() <= 1e-12


@pytest.mark.parametrize("control_points", [[4, 4], [2, 3, 2]], ids=str)
def test_a_chunked_grid_and_its_gradient_equal_the_cached_ones(control_points, monkeypatch):
    monkeypatch.setattr(lattice_basis, "BASIS_CHUNK_BYTES", 8 * 40 * 16)
    size = (13, 17) if len(control_points) == 2 else (5, 6, 7)
    weight = rand(2, *size, len(control_points))
    results = []
    for max_bytes in (2**20, 0):
        family = tps(control_points)
        for part in (family._lattice_basis, family._cardinal_basis):
            part._cache.max_bytes = max_bytes
        theta = bent(family).requires_grad_()
        grid = family.grid(theta, size)
        (grid * weight).sum().backward()
        assert (len(family._cardinal_basis._cache), len(family._lattice_basis._cache)) == (1 if max_bytes else 0, 0)
        results.append((grid.detach(), theta.grad))
    for kept, in_chunks in zip(*results, strict=True):
        assert (kept - in_chunks).abs().max() <= 1e-12


@pytest.mark.parametrize("regularization", [0.0, 0.05])
@pytest.mark.parametrize(
    "control_points", [[4, 4], [9, 9], [16, 16], [32, 32], [4, 4, 4], [6, 6, 6], SCATTERED, CLOSE], ids=str
)
def test_float32_agrees_with_float64_up_to_rounding(control_points, regularization):
    family = tps(control_points, regularization=regularization)
    theta = bent(family, spread=0.3).float()
    size = (21, 16) if family.ndim == 2 else (5, 6, 7)
    expected = family(theta.double(), lattice_points(size)).view(2, *size, family.ndim)
    # Half a unit in the last place of a coordinate near 1 is 6e-8; the sum of kernels may lose 1e-5.
    assert (family(theta, lattice_points(size).float()).view_as(expected) - expected).abs().max() <= 1e-5
    grid = family.grid(theta, size)
    assert grid.dtype == torch.float32
    assert (grid - expected).abs().max() <= 1e-6
    family._lattice_basis._cache.max_bytes = family._cardinal_basis._cache.max_bytes = 0
    assert (family.grid(theta, size) - expected).abs().max() <= 1e-5


@pytest.mark.slow
@pytest.mark.no_jaxtyping
def test_compiled_code_reads_the_basis_cached_by_eager_code():
    family = tps([10, 10])
    theta = bent(family).float()
    compiled = torch.compile(family.grid, backend="eager", fullgraph=True)
    eager = family.grid(theta, (9, 8))
    torch.testing.assert_close(compiled(theta, (9, 8)), eager, atol=1e-6, rtol=0)
    (kept,) = family._cardinal_basis._cache._entries.values()
    kept.zero_()
    torch.compiler.reset()
    assert not compiled(theta, (9, 8)).any()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda family: pickle.loads(pickle.dumps(family))])
def test_copies_pickles_and_state_omit_the_cached_basis(copied):
    family = tps()
    theta = bent(family)
    grid = family.grid(theta, (8, 8))
    other = copied(family)
    assert (len(family._cardinal_basis._cache), len(other._cardinal_basis._cache)) == (1, 0)
    assert torch.equal(other.grid(theta, (8, 8)), grid)
    assert not family.state_dict()
    file = io.BytesIO()
    torch.save(family, file)
    assert len(file.getvalue()) < 50_000


@pytest.mark.parametrize("control_points", [[3, 3], [2, 2, 2]], ids=str)
def test_second_gradients_agree_with_finite_differences(control_points):
    family = tps(control_points, regularization=0.05)
    theta = bent(family).requires_grad_()
    points = rand(2, 5, family.ndim).requires_grad_()
    assert torch.autograd.gradgradcheck(family, (theta, points))


def test_gradients_at_control_points_pass_gradcheck():
    family = tps([3, 3])
    points = family.control_points[None].clone().requires_grad_()
    assert torch.autograd.gradcheck(family, (bent(family, n=1).requires_grad_(), points))


@pytest.mark.parametrize("control_points", [[3, 3], [2, 2, 2]], ids=str)
def test_derivatives_at_and_near_control_points_are_finite(control_points):
    family = tps(control_points)
    theta = bent(family, n=1).requires_grad_()
    for offset in (0.0, 1e-155, 1e-20):
        points = (family.control_points[None] + offset).requires_grad_()
        first = torch.autograd.grad(family(theta, points).square().sum(), (theta, points), create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), (theta, points))
        assert all(g.isfinite().all() for g in (*first, *second))


@pytest.mark.parametrize("control_points", [*SHAPES, SCATTERED], ids=str)
def test_cardinal_functions_sum_to_one_and_reproduce_points(control_points):
    family = tps(control_points, regularization=0.3)
    points = 1.5 * rand(1, 40, family.ndim)
    n_points = family.n_params // family.ndim
    # θ whose x is 1 at one control point and 0 at the others, for each of them: x is its cardinal function.
    moved = torch.cat([torch.eye(n_points), torch.zeros(n_points, family.n_params - n_points)], dim=1).double()
    cardinal = family(moved, points)[..., 0]
    assert (cardinal.sum(dim=0) - 1).abs().max() <= 1e-11
    assert (cardinal.T @ family.control_points - points[0]).abs().max() <= 1e-11


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(
    shape=st.lists(st.integers(2, 5), min_size=2, max_size=2),
    seed=st.integers(0, 10**6),
    points=st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=8),
)
def test_inverse_undoes_forward(shape, seed, points):
    family = tps(shape)
    # A tenth of the distance of neighbors cannot fold.
    theta = bent(family, spread=0.2 / max(shape), seed=seed)
    points = torch.tensor(points, dtype=torch.float64)[None]
    assert (family.inverse(theta, family(theta, points)) - points).abs().max() <= 1e-8


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), weight=st.floats(-3, 3))
def test_theta_enters_linearly(seed, weight):
    family = tps([3, 4])
    first, second = rand(2, 1, family.n_params, seed=seed)
    points = rand(1, 10, 2)
    expected = weight * family(first, points) + family(second, points)
    assert (family(weight * first + second, points) - expected).abs().max() <= 1e-11


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"control_points": [1, 4]}, r"of at least 2.*\[1, 4\]"),
        ({"control_points": [4]}, "2 whole numbers"),
        ({"control_points": [4, 4, 4]}, "2 whole numbers"),
        ({"control_points": [4, 4], "ndim": 3}, "3 whole numbers"),
        ({"control_points": []}, "2 whole numbers"),
        ({"control_points": [True, 4]}, "2 whole numbers"),
        ({"control_points": [4, 4.5]}, "2 whole numbers"),
        ({"control_points": [[0, 0], [1, 0], [0, 1], [1.0, 0.0]]}, r"coincident ones: 1 and 3 at \[1.0, 0.0\]"),
        ({"control_points": [[0, 0], [1, 1], [0.5, 0.5]]}, "one line"),
        ({"control_points": [[0, 0], [1, 1]]}, "one line"),
        ({"control_points": [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], "ndim": 3}, "one plane"),
        ({"control_points": [[0, 0, 1], [1, 0, 1], [0, 1, 1]]}, "2 coordinates"),
        ({"control_points": [[0, 0], [1, math.nan], [0, 1]]}, "finite"),
        ({"control_points": [[0, 0], 3, [0, 1]]}, "2 coordinates"),
        ({"control_points": [[0, 0], ["a", "b"], [0, 1]]}, "2 coordinates"),
        ({"regularization": -0.1}, "at least 0.*-0.1"),
        ({"regularization": math.inf}, "finite"),
        ({"regularization": math.nan}, "finite"),
        ({"ndim": 4}, "2 or 3.*4"),
        ({"ndim": 1}, "2 or 3.*1"),
    ],
    ids=str,
)
def test_bad_options_are_refused_in_one_sentence(options, said):
    from stnkit_plugins.transforms.tps import ThinPlateSpline

    with pytest.raises(stnkit.errors.InputError, match=said) as refused:
        ThinPlateSpline(**options)
    assert "\n" not in str(refused.value)


@pytest.mark.no_jaxtyping
def test_it_does_not_compose():
    with pytest.raises(stnkit.errors.DoesNotComposeError, match="ThinPlateSpline does not compose"):
        tps().compose(torch.zeros(2, 32), torch.zeros(2, 32))


def test_large_weights_are_neither_clamped_nor_rounded():
    positions = [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.001, 0.0]]
    family = stnkit.build("transform", "tps", control_points=positions)
    theta = family.identity()[None].clone()
    theta[0, 5] += 0.3
    assert family.coefficients(theta).abs().max() > stnkit.coordinates.OUTSIDE
    points = stnkit.coordinates.lattice((9, 7), dtype=torch.float64).view(1, -1, 2)
    expected = family(theta, points).view(1, 9, 7, 2)
    torch.testing.assert_close(family.grid(theta, (9, 7)), expected, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(family.grid(theta.float(), (9, 7)).double(), expected, atol=1e-4, rtol=1e-5)
