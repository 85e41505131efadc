"""Splines of other radial kernels, against SciPy's `RBFInterpolator` and their own properties."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import RBFInterpolator

import stnkit
from stnkit.families import RadialKernel
from tests.helpers import lattice_points, random_points, random_theta

SCALED = ["gaussian", "multiquadric", "inverse_multiquadric", "inverse_quadratic"]
TOO_CLOSE = [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0], [0.3, 0.4], [0.0, 1e-8]]
SHAPES = {2: [4, 5], 3: [3, 4, 3]}


def spline(kernel, control_points, **options):
    ndim = len(control_points) if isinstance(control_points[0], int) else len(control_points[0])
    return stnkit.build("transform", "tps", kernel=kernel, control_points=control_points, ndim=ndim, **options)


def by_scipy(family, theta, points, kernel, epsilon, smoothing):
    """The same spline of one θ, with the polynomials of this package."""
    oracle = RBFInterpolator(
        family.control_points,
        theta.view(family.ndim, -1).T.numpy(),
        kernel=kernel,
        epsilon=epsilon,
        smoothing=smoothing,
        degree=2 if kernel == "quintic" else 1,
    )
    return oracle(points.numpy())


@pytest.mark.parametrize("regularization", [0.0, 0.05])
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kernel", [*RadialKernel])
def test_every_kernel_agrees_with_scipy_in_values_and_slopes(kernel, ndim, regularization):
    epsilon = 1.3 if kernel in SCALED else None
    family = spline(kernel, SHAPES[ndim], regularization=regularization, epsilon=epsilon)
    theta = family.identity() + random_theta(family)
    points = torch.cat([random_points(family, batch=1, reach=1.5, n=40), family.control_points[None]], dim=1)
    step = 1e-5
    slopes = stnkit.families.jacobian(family, theta, points)
    for row, source, slope in zip(theta, family(theta, points), slopes, strict=True):
        options = (kernel, epsilon or 1.0, regularization)
        np.testing.assert_allclose(source, by_scipy(family, row, points[0], *options), rtol=0, atol=1e-10)
        for axis in range(ndim):
            offset = step * torch.eye(ndim, dtype=torch.float64)[axis]
            high, low = (by_scipy(family, row, points[0] + sign * offset, *options) for sign in (1, -1))
            np.testing.assert_allclose(slope[..., axis], (high - low) / (2 * step), rtol=0, atol=1e-7)


@pytest.mark.parametrize("kernel", [*RadialKernel])
def test_one_regularization_for_each_point_agrees_with_scipy(kernel):
    each = [0.0, 0.1, 3.0, 0.02, *[0.5] * 16]
    family = spline(kernel, [4, 5], regularization=each)
    theta = family.identity() + random_theta(family, batch=1)
    points = random_points(family, batch=1)
    expected = by_scipy(family, theta[0], points[0], kernel, family._functions.epsilon, np.array(each))
    np.testing.assert_allclose(family(theta, points)[0], expected, rtol=0, atol=1e-10)
    assert (family(theta, family.control_points[None])[0, 0] - theta.view(2, -1)[:, 0]).abs().max() <= 1e-12
    size = (12, 9)
    grid = family.grid(theta, size).view(1, -1, 2)
    torch.testing.assert_close(grid, family(theta, lattice_points(size)), atol=1e-12, rtol=0)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kernel", [*RadialKernel])
def test_affine_maps_are_reproduced_by_every_kernel(kernel, ndim):
    family = spline(kernel, SHAPES[ndim], regularization=0.2)
    matrix = random_theta(stnkit.build("transform", "affine", ndim=ndim), batch=1).view(ndim, ndim + 1)
    linear, shift = matrix[:, :ndim], matrix[:, ndim:]
    theta = (linear @ family.control_points.T + shift).flatten()[None]
    points = random_points(family, batch=1, reach=1.5)
    torch.testing.assert_close(family(theta, points), points @ linear.T + shift.T, atol=1e-11, rtol=0)


@pytest.mark.parametrize("kernel", [*RadialKernel])
@pytest.mark.parametrize("ndim", [2, 3])
def test_derivatives_at_control_points_are_right_or_zero(kernel, ndim):
    family = spline(kernel, SHAPES[ndim])
    theta = (family.identity() + random_theta(family, batch=1)).requires_grad_()
    for offset in (0.0, 1e-155, 1e-20):
        points = (family.control_points[None] + offset).requires_grad_()
        first = torch.autograd.grad(family(theta, points).square().sum(), (theta, points), create_graph=True)
        second = torch.autograd.grad(sum(g.square().sum() for g in first), (theta, points))
        assert all(g.isfinite().all() for g in (*first, *second))
    if kernel != RadialKernel.linear:  # which has a kink
        points = family.control_points[None, :3].clone().requires_grad_()
        assert torch.autograd.gradcheck(family, (theta, points))
    smooth = kernel not in (RadialKernel.linear, RadialKernel.thin_plate_spline, RadialKernel.cubic)
    if smooth:  # at least three times differentiable, so that differences of the slope agree with its derivative
        assert torch.autograd.gradgradcheck(family, (theta, points), atol=1e-4)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    kernel=st.sampled_from(RadialKernel),
    shape=st.lists(st.integers(3, 12), min_size=2, max_size=2),
    scale=st.floats(0.7, 4),
    seed=st.integers(0, 2**31),
)
def test_float32_agrees_with_float64_for_every_kernel(kernel, shape, scale, seed):
    nearest = 2 / (max(shape) - 1)
    family = spline(kernel, shape, epsilon=scale / nearest if kernel in SCALED else None)
    identity = family.identity()[None]
    size = (11, 14)
    lattice = lattice_points(size)
    assert (family(identity.float(), lattice.float()) - lattice).abs().max() <= 1e-6
    assert (family.grid(identity.float(), size).view_as(lattice) - lattice).abs().max() <= 1e-6
    theta = (identity + 0.3 * random_theta(family, seed=seed)).float()
    expected = family(theta.double(), lattice)
    # As for the thin plate spline: the sum of kernels may lose 1e-5, that of cardinal functions a few units.
    assert (family(theta, lattice.float()) - expected).abs().max() <= 1e-5
    assert (family.grid(theta, size).view_as(expected) - expected).abs().max() <= 1e-6


@pytest.mark.parametrize("kernel", [*RadialKernel])
def test_a_grid_from_one_corner_is_that_of_all_pixels(kernel, monkeypatch):
    from stnkit.families import lattice_basis

    family, size = spline(kernel, [5, 4]), (9, 12)
    theta = family.identity() + random_theta(family, batch=1)
    expected = family(theta, lattice_points(size)).view(1, *size, 2)
    assert len(family.reflections) == len(family._cardinal_reflections) == 2
    monkeypatch.setattr(lattice_basis, "MIRRORED_BYTES", 0)
    torch.testing.assert_close(family.grid(theta, size), expected, atol=1e-12, rtol=0)
    torch.testing.assert_close(family.planar_grid(theta, size), expected, atol=1e-11, rtol=0)


def test_regularization_without_symmetry_leaves_none_to_the_grid():
    family = spline(None, [4, 4], regularization=[1.0, *[0.0] * 15])
    assert (len(family.reflections), family._cardinal_reflections) == (2, ())
    assert len(spline(None, [4, 4], pinned=[0, 3, 12, 15])._cardinal_reflections) == 2
    assert spline(None, [4, 4], pinned=[0])._cardinal_reflections == ()


def test_the_default_kernel_is_the_smoothest_of_its_dimension():
    for ndim, kernel in ((2, "thin_plate_spline"), (3, "linear")):
        family, named = spline(None, SHAPES[ndim]), spline(kernel, SHAPES[ndim])
        theta = family.identity() + random_theta(family)
        assert torch.equal(family.grid(theta, (4,) * ndim), named.grid(theta, (4,) * ndim))


def test_the_default_epsilon_is_one_over_the_neighbors_distance():
    assert spline("gaussian", [5, 5])._functions.epsilon == pytest.approx(2)
    assert spline("gaussian", [5, 3])._functions.epsilon == pytest.approx(2)
    assert "kernel=gaussian, epsilon=2" in repr(spline("gaussian", [5, 5]))


@pytest.mark.parametrize("pinned", ["borders", [0, 5, 6], [15]], ids=str)
@pytest.mark.parametrize("regularization", [0.0, 0.3])
def test_pinned_points_stay_and_the_others_are_as_in_the_whole(pinned, regularization):
    family = spline(None, [4, 4], pinned=pinned, regularization=regularization)
    each = [0.0 if k in family.pinned else regularization for k in range(16)]
    whole = spline(None, [4, 4], regularization=each)
    free = [k for k in range(16) if k not in family.pinned]
    assert torch.equal(family.identity(), whole.identity().view(2, -1)[:, free].flatten())
    theta = family.identity() + random_theta(family)
    filled = whole.identity().view(1, 2, -1).repeat(len(theta), 1, 1)
    filled[:, :, free] = theta.view(len(theta), 2, -1)
    at = family.control_points[None, list(family.pinned)]
    torch.testing.assert_close(family(theta, at), at.expand(len(theta), -1, -1), atol=1e-12, rtol=0)
    points, size = random_points(family, batch=1, reach=1.5), (9, 7)
    expected = whole(filled.flatten(start_dim=1), points)
    torch.testing.assert_close(family(theta, points), expected, atol=1e-12, rtol=0)
    expected = whole.grid(filled.flatten(start_dim=1), size)
    torch.testing.assert_close(family.grid(theta, size), expected, atol=1e-12, rtol=0)
    energy = stnkit.bending_energy(family, theta, size)
    torch.testing.assert_close(energy, stnkit.bending_energy(whole, filled.flatten(start_dim=1), size))


@pytest.mark.parametrize("name", ["tps", "piecewise_affine", "bspline"])
@pytest.mark.parametrize("pinned", [None, [0, 3]], ids=str)
def test_changing_what_identity_returns_changes_no_family(name, pinned):
    family = stnkit.build("transform", name, pinned=pinned)
    expected = family.identity().clone()
    family.identity().add_(1)
    assert torch.equal(family.identity(), expected)
    points = random_points(family, batch=1)
    torch.testing.assert_close(family(expected[None], points), points, atol=1e-12, rtol=0)


def test_the_borders_of_positions_are_those_on_their_hull():
    positions = [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.2], [0.3, -1.0], [0.3, -0.99]]
    assert spline(None, positions, pinned="borders").pinned == (0, 1, 2, 3, 5)
    assert spline(None, [3, 4, 3], pinned="borders").n_params == 3 * 2


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"regularization": [0.1] * 3}, "regularization: expected a number, or one for each of 16 .*, got 3"),
        ({"regularization": [*[0.1] * 15, -1.0]}, "regularization: expected finite numbers of at least 0, got"),
        ({"regularization": [*[0.1] * 15, math.nan]}, "regularization: expected finite numbers"),
        ({"regularization": [0.1] * 16, "pinned": [3]}, "expected 0 for the control point 3, which is pinned, got 0.1"),
        ({"pinned": "edges"}, "pinned: expected borders, or .* from 0 to 15, got 'edges'"),
        ({"pinned": [16]}, r"pinned: expected borders, or .* from 0 to 15, got \[16\]"),
        ({"pinned": "borders", "control_points": [2, 5]}, "pinned: expected a control point that is free, got borders"),
        ({"kernel": "sinc"}, "kernel.*sinc"),
        ({"kernel": "cubic", "epsilon": 1.0}, "epsilon: expected none for the kernel cubic"),
        ({"epsilon": 1.0}, "epsilon: expected none for the kernel thin_plate_spline"),
        ({"kernel": "gaussian", "epsilon": 0.0}, "epsilon: expected a finite number above 0, got 0.0"),
        ({"kernel": "gaussian", "epsilon": math.inf}, "epsilon: expected a finite number above 0, got inf"),
        ({"kernel": "gaussian", "epsilon": 0.05}, "expected an epsilon above 0.05, or control points farther apart"),
        (
            {"kernel": "quintic", "control_points": [2, 9]},
            "quintic at least 6 positions that do not all lie on one conic",
        ),
        ({"kernel": "quintic", "control_points": [2, 2, 2], "ndim": 3}, "at least 10 positions .* on one quadric"),
        (
            {"control_points": TOO_CLOSE},
            "expected control points farther apart, for a spline of .* 1e-05, got 7",
        ),
    ],
    ids=str,
)
def test_bad_options_of_splines_are_refused_in_one_sentence(options, said):
    with pytest.raises(stnkit.errors.InputError, match=said) as refused:
        stnkit.build("transform", "tps", **options)
    assert "\n" not in str(refused.value)
