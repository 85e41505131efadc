"""Flows of stationary velocity fields, against SciPy's solver, MONAI and their own properties."""

import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from torch.autograd import forward_ad

import stnkit
from stnkit import coordinates
from stnkit.errors import InputError
from tests.helpers import lattice_points, random_points, random_theta
from tests.native.cases import needs_library

LATTICES = [[4, 4], [8, 8], [5, 9], [4, 6, 5]]


def velocity(control_points, **options):
    return stnkit.build("transform", "velocity", control_points=control_points, ndim=len(control_points), **options)


def moving(family, farthest, seed=0):
    """θ of a random field whose largest speed at a pixel center is `farthest`."""
    theta = random_theta(family, batch=1, seed=seed)
    field = stnkit.build("transform", "bspline", control_points=family.control_points, ndim=family.ndim)
    at = lattice_points([12] * family.ndim)
    return theta * farthest / (field(theta, at) - at).norm(dim=-1).max()


def by_scipy(family, theta, points):
    """The same flow, of the velocities that are the displacements of `transform=bspline`."""
    field = stnkit.build("transform", "bspline", control_points=family.control_points, ndim=family.ndim)

    def speed(_, flat):
        at = torch.from_numpy(flat).view(1, -1, family.ndim)
        return (field(theta, at) - at).numpy().ravel()

    solved = solve_ivp(speed, (0, 1), points.numpy().ravel(), rtol=1e-10, atol=1e-10)
    return torch.from_numpy(solved.y[:, -1]).view_as(points)


@pytest.mark.parametrize("control_points", LATTICES, ids=str)
def test_flow_is_scipys_inside_and_beyond_the_lattice(control_points):
    family = velocity(control_points)
    theta = moving(family, 0.2)
    points = random_points(family, batch=1, n=40, reach=2.0)
    torch.testing.assert_close(family(theta, points), by_scipy(family, theta, points), atol=1e-6, rtol=0)


def test_more_steps_are_closer_by_their_fourth_power():
    coarse, fine = velocity([8, 8], steps=4), velocity([8, 8], steps=8)
    theta = moving(coarse, 0.5)
    points = random_points(coarse, batch=1, n=100)
    exact = by_scipy(coarse, theta, points)
    errors = [(family(theta, points) - exact).abs().max().item() for family in (coarse, fine)]
    assert errors[1] < errors[0] / 10
    assert errors[1] < 1e-5


def test_flow_is_that_of_monais_dvf2ddf():
    # MONAI 1.6.1, DVF2DDF(num_steps=10, padding_mode="border") of this field at the centers of 32 × 32 pixels, in
    # float32, divided by 16. It reads the field linearly between pixels, hence the tolerance: 0.005 of a pixel.
    theirs = {(10, 8): [-0.069399, -0.082877], (16, 20): [-0.039219, -0.055063], (22, 13): [-0.119687, -0.124424]}
    family = velocity([5, 5])
    theta = 0.2 * torch.arange(50, dtype=torch.float64).sin()[None]
    grid = family.grid(theta, (32, 32))
    identity = lattice_points((32, 32)).view(32, 32, 2)
    for (row, column), displacement in theirs.items():
        ours = grid[0, row, column] - identity[row, column]
        torch.testing.assert_close(ours, torch.tensor(displacement, dtype=torch.float64), atol=3e-4, rtol=0)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), farthest=st.floats(0.05, 0.5))
def test_opposite_theta_undo_each_other(seed, farthest):
    family = velocity([6, 6])
    theta = moving(family, farthest, seed)
    points = lattice_points((32, 32))
    back = family(-theta, family(theta, points))
    pixels = (back - points).abs().max().item() * 32 / 2
    assert pixels < 1e-3
    assert torch.equal(family.inverse(theta, points), family(-theta, points))


@pytest.mark.slow
@settings(max_examples=20)
@given(seed=st.integers(0, 2**31), rows=st.integers(10, 12))
def test_no_field_folds_where_its_displacement_would(seed, rows):
    family = velocity([rows, rows])
    theta = moving(family, 0.5, seed)  # a quarter of the image
    assert stnkit.folds(family, theta, (48, 48)).item() == 0
    displaced = stnkit.build("transform", "bspline", control_points=[rows, rows])
    assert stnkit.folds(displaced, theta, (48, 48)).item() > 0


def test_a_linear_field_flows_by_the_matrix_exponential():
    # Velocities A p at all control points are A p everywhere, as splines reproduce affine maps.
    generator = torch.tensor([[0.1, -0.3], [0.2, 0.15]], dtype=torch.float64)
    family = velocity([8, 8], steps=16)
    axis = -1 + (torch.arange(8, dtype=torch.float64) - 1) * 2 / 5
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    theta = torch.einsum("ij,jrc->irc", generator, torch.stack([x, y])).reshape(1, -1)
    points = random_points(family, batch=1, reach=0.6)
    torch.testing.assert_close(family(theta, points), points @ torch.linalg.matrix_exp(generator).T, atol=1e-9, rtol=0)


@pytest.mark.parametrize("control_points", [[4, 5], [4, 4, 4]], ids=str)
def test_gradients_are_right_on_knots_and_beyond_the_lattice(control_points):
    family = velocity(control_points, steps=2)
    theta = random_theta(family, batch=1).requires_grad_()
    spacing = torch.tensor([2 / (n - 3) for n in reversed(control_points)], dtype=torch.float64)
    on_knots = -1 + spacing * torch.arange(-2, 4, dtype=torch.float64)[:, None]
    points = torch.cat([random_points(family, batch=1, n=2)[0], on_knots])[None].requires_grad_()
    # A random direction in place of every entry: a lattice of volumes has hundreds.
    assert torch.autograd.gradcheck(family, (theta, points), fast_mode=True)


@pytest.mark.slow
def test_second_derivatives_are_right():
    family = velocity([4, 4], steps=2)
    theta = random_theta(family, batch=1).requires_grad_()
    points = random_points(family, batch=1, n=2).requires_grad_()
    assert torch.autograd.gradgradcheck(family, (theta, points), fast_mode=True)


# torch's first forward-mode derivative warns.
@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("control_points", [[4, 4], [5, 9], [4, 6, 5]], ids=str)
def test_forward_mode_gives_the_gradients_of_backward(control_points):
    family = velocity(control_points, steps=2)
    theta, size = moving(family, 0.3), [3, 4, 2][: family.ndim]
    flow = {"grid": lambda t: family.grid(t, size), "points": lambda t: family.inverse(t, lattice_points(size))}
    for follow in flow.values():
        backward = torch.autograd.functional.jacobian(follow, theta)
        torch.testing.assert_close(torch.func.jacfwd(follow)(theta), backward, atol=1e-10, rtol=0)


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_forward_mode_goes_on_through_a_sampler():
    family, sampler = velocity([4, 4], steps=2), stnkit.build("sampler", "bilinear", double_backward=True)
    theta, image = moving(family, 0.3), torch.rand(1, 1, 5, 6, dtype=torch.float64)
    backward = torch.autograd.functional.jacobian(lambda t: stnkit.warp(family, t, image, sampler), theta)
    forward = torch.func.jacfwd(lambda t: stnkit.warp(family, t, image, sampler))(theta)
    torch.testing.assert_close(forward, backward, atol=1e-10, rtol=0)


def test_forward_mode_in_float32_is_not_narrowed(monkeypatch):
    family, seen = velocity([4, 4], steps=1), []
    monkeypatch.setattr(coordinates, "products_are_narrowed", lambda: True)
    monkeypatch.setattr(torch, "bmm", lambda a, b, bmm=torch.bmm: [seen.append(a.dtype), bmm(a, b)][1])
    theta = moving(family, 0.3).float()
    with forward_ad.dual_level():
        assert family(theta, torch.zeros(1, 1, 2)).dtype == torch.float32
    assert set(seen) == {torch.float64}


def test_gradients_without_recomputation_are_the_same():
    family = velocity([5, 5])
    theta = random_theta(family, batch=2)
    points = random_points(family, batch=2, n=10)
    recomputed = theta.clone().requires_grad_()
    family(recomputed, points).square().sum().backward()
    # Within torch.func nothing is recomputed.
    direct = torch.func.grad(lambda t: family(t, points).square().sum())(theta)
    torch.testing.assert_close(recomputed.grad, direct, atol=1e-12, rtol=1e-12)


def test_backward_memory_grows_by_points_for_each_step():
    theta = torch.zeros(1, 128, requires_grad=True)
    sizes = []

    def noted(tensor):
        sizes.append(tensor.numel())
        return tensor

    points = torch.rand(1, 5000, 2) * 2 - 1
    with torch.autograd.graph.saved_tensors_hooks(noted, lambda tensor: tensor):
        velocity([8, 8], steps=8)(theta, points)
    assert sum(sizes) < 9 * points.numel() + 1000 * 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("control_points", [[4, 7], [4, 6, 5]], ids=str)
def test_the_kernel_and_the_composite_agree(control_points, dtype):
    family = velocity(control_points, steps=3)
    theta = random_theta(family, batch=2).to(dtype)
    # More than a unit of the kernel, and more than whole vectors, far beyond the lattice too.
    for points in (random_points(family, batch=2, n=1100, reach=3.0), random_points(family, batch=1, n=13, reach=1.0)):
        points, generator = points.to(dtype), torch.Generator().manual_seed(0)
        weight = torch.rand(2, *points.shape[1:], generator=generator, dtype=dtype)
        ways = []
        for way in (contextlib.nullcontext(), stnkit.native.disabled()):
            inputs = theta.clone().requires_grad_(), points.clone().requires_grad_()
            with way:
                ends = family(*inputs)
                ways.append((ends, *torch.autograd.grad(ends, inputs, weight)))
        for ours, theirs in zip(*ways, strict=True):
            tolerance = 1e2 * torch.finfo(dtype).eps * float(theirs.detach().abs().max().clamp_min(1))
            torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)


@needs_library
def test_the_bits_do_not_depend_on_the_threads():
    family, before = velocity([6, 5]), torch.get_num_threads()
    theta, found = random_theta(family, batch=3).float().requires_grad_(), []
    for count in (1, 2, 3, 2):
        torch.set_num_threads(count)
        grid = family.grid(theta, (40, 41))
        found.append((grid.detach(), *torch.autograd.grad(grid.square().sum(), theta)))
    torch.set_num_threads(before)
    for again in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], again, strict=True))


@needs_library
def test_points_that_are_no_numbers_stay_none():
    family = velocity([5, 5])
    points = torch.tensor([[[np.nan, 0.0], [1e30, 0.0], [0.1, 0.2]]])
    found = family(random_theta(family, batch=1).float(), points)[0]
    assert found[0, 0].isnan()
    assert found[1].tolist() == points[0, 1].tolist()
    assert found[2].isfinite().all()


def test_bad_options_are_refused_in_one_sentence():
    with pytest.raises(InputError, match=r"steps: expected a whole number of at least 1, got 0$"):
        velocity([4, 4], steps=0)
    with pytest.raises(InputError, match=r"control_points: expected .* at least 4.*, got \[3, 4\]"):
        velocity([3, 4])


def test_field_of_a_diverged_theta_gives_a_finite_grid():
    theta = torch.full((1, 128), np.inf)
    assert velocity([8, 8]).grid(theta, (6, 7)).isfinite().all()


@pytest.mark.parametrize("size", [8.0, 1e3, 1e4, 1e38, np.inf])
def test_gradients_of_a_diverged_theta_are_finite(size):
    family = velocity([8, 8])
    theta = torch.where(torch.arange(128) % 2 == 0, size, -size).float()[None].requires_grad_()
    (gradient,) = torch.autograd.grad(family.grid(theta, (6, 7)).sum(), theta)
    assert gradient.isfinite().all()


def test_velocities_beyond_the_bound_are_clamped():
    family, points = velocity([5, 6]), torch.zeros(1, 1, 2)
    theta = torch.full((1, family.n_params), 1e6)
    assert torch.equal(family(theta, points), family(torch.full_like(theta, 8.0), points))
