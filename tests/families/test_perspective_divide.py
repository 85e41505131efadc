"""Projective maps on, behind and near the horizon g·x + h·y + 1 = 0."""

import math

import pytest
import torch
import torch.fx.experimental.proxy_tensor

import stnkit
from stnkit.coordinates import OUTSIDE

# The horizon is the line x = 0.5, and what is to the right of it is behind.
TILTED = [1.0, 0.0, 0.3, 0.0, 1.0, 0.2, -2.0, 0.0]


def projective(*rows, dtype=torch.float64):
    return stnkit.build("transform", "projective"), torch.tensor(rows, dtype=dtype)


def points_of(*pairs, dtype=torch.float64):
    return torch.tensor([pairs], dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_points_on_and_behind_the_horizon_are_outside(dtype):
    family, theta = projective(TILTED, dtype=dtype)
    source = family(theta, points_of((0.5, 0.0), (0.5, -0.2), (0.7, 0.3), (1.0, 1.0), dtype=dtype))
    assert (source.abs() == OUTSIDE).all()
    grid = family.grid(theta, (4, 8))
    behind = stnkit.coordinates.lattice((4, 8))[..., 0] >= 0.5
    assert (grid[0][behind].abs() == OUTSIDE).all()
    assert (grid[0][~behind].abs() < OUTSIDE).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_are_finite_all_the_way_to_the_horizon(dtype):
    family, theta = projective(TILTED, dtype=dtype)
    theta.requires_grad_()
    x = 0.5 - torch.logspace(-18, 0, 200, dtype=torch.float64)
    x = torch.cat([x, 1 - x]).to(dtype)
    # -0.3 makes the numerator of x, and -0.2 that of y, vanish on the horizon too.
    points = torch.stack([x, torch.full_like(x, -0.2)], dim=-1)[None].requires_grad_()
    source = family(theta, points)
    assert source.isfinite().all()
    for gradient in torch.autograd.grad(source.sum(), (theta, points)):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("value", [1e10, 1e20, 1e30, 3e38])
def test_gradients_of_huge_numerators_at_the_horizon_are_finite(value):
    family, theta = projective([value, value, value, -value, value, value, -1.0, 0.0], dtype=torch.float32)
    theta.requires_grad_()
    near = 1 - 2.0**-19  # w is 1.9e-6
    points = points_of((near, 0.3), (near, -1.0), (0.999, 0.5), dtype=torch.float32).requires_grad_()
    source = family(theta, points)
    assert source.isfinite().all()
    for gradient in torch.autograd.grad(source.sum(), (theta, points)):
        assert gradient.isfinite().all()


def test_what_is_visible_is_right_for_large_theta():
    # Numerator and w both exceed the bound on coordinates, their quotient does not.
    family, theta = projective([3e5, 0.0, 3e5, 0.0, 3e5, 0.0, 3e5, 2e5])
    lattice = stnkit.coordinates.lattice((4, 8), dtype=torch.float64)
    w = 3e5 * lattice[..., 0] + 2e5 * lattice[..., 1] + 1
    expected = 3e5 * torch.stack([lattice[..., 0] + 1, lattice[..., 1]], dim=-1) / w[..., None]
    front = w > 0
    assert 0 < front.sum() < front.numel()
    assert (family.grid(theta, (4, 8))[0] - expected)[front].abs().max() < 1e-10
    assert (family.grid(theta, (4, 8))[0][~front] == OUTSIDE).all()


def test_points_behind_the_horizon_do_not_change_the_gradient():
    family, theta = projective(TILTED)
    theta.requires_grad_()
    visible, hidden = points_of((-0.4, 0.3), (0.2, 0.1)), points_of((0.9, 0.3), (0.5, 0.0))
    (expected,) = torch.autograd.grad(family(theta, visible).sum(), theta)
    (gradient,) = torch.autograd.grad(family(theta, torch.cat([visible, hidden], dim=1)).sum(), theta)
    assert torch.equal(gradient, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inverse_is_nan_for_points_from_behind_the_horizon(dtype):
    family, theta = projective(TILTED, dtype=dtype)
    theta.requires_grad_()
    hidden = points_of((0.9, 0.3), (0.6, -0.9), dtype=dtype)
    # The plain quotient, as if there were no horizon.
    source = (hidden + torch.tensor([0.3, 0.2], dtype=dtype)) / (1 - 2 * hidden[..., :1])
    seen = family(theta, points_of((-0.4, 0.3), dtype=dtype)).detach()
    found = family.inverse(theta, torch.cat([source, seen], dim=1))
    assert found[0, :2].isnan().all()
    assert torch.allclose(found[0, 2], torch.tensor([-0.4, 0.3], dtype=dtype), atol=1e-5)
    (gradient,) = torch.autograd.grad(found.nansum(), theta)
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0


def test_inverse_of_points_on_the_image_of_infinity_is_nan():
    # T(p) approaches (−0.5, y) as x goes to infinity, and no point is mapped there.
    family, theta = projective([1.0, 0.0, 0.0, 0.0, 1.0, 0.0, -2.0, 0.0])
    theta.requires_grad_()
    found = family.inverse(theta, points_of((-0.5, 0.2), (-0.25, 0.1)))
    assert found[0, 0].isnan().all()
    assert (family(theta, found[:, 1:]) - points_of((-0.25, 0.1))).abs().max() < 1e-12
    (gradient,) = torch.autograd.grad(found.nansum(), theta)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("affine", [1.0, 2.0, 0.1, 2.0, 4.0, 0.2]),
        ("affine", [0.0] * 6),
        ("projective", [0.0] * 8),
        ("projective", [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.3, 0.0]),
        ("projective", [1e200, 0.0, 0.0, 0.0, 1e-200, 0.0, 0.0, 0.0]),
    ],
)
def test_inverse_of_a_singular_matrix_has_finite_gradients(name, row):
    family = stnkit.build("transform", name)
    theta = torch.stack([torch.tensor(row, dtype=torch.float64), family.identity()]).requires_grad_()
    points = points_of((0.3, -0.2), (0.7, 0.9))
    found = family.inverse(theta, points)
    reached = found[:1].isfinite().all(dim=-1)
    assert (family(theta[:1], found[:1]) - points)[reached].abs().nan_to_num().sum() < 1e-6
    assert (found[1] - points[0]).abs().max() < 1e-12
    (gradient,) = torch.autograd.grad(found.nansum(), theta)
    assert gradient.isfinite().all()


def test_composition_keeps_the_side_of_the_horizon():
    family, theta = projective(TILTED)
    mirror = torch.tensor([[-1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.5, 0.0]], dtype=torch.float64)
    points = 0.9 * stnkit.coordinates.lattice((9, 9), dtype=torch.float64).view(1, -1, 2)
    composed = family.compose(theta, mirror)
    first = family(mirror, points)
    both = (first.abs() < OUTSIDE).all(-1) & (first[..., 0] < 0.5)
    assert 10 < both.sum() < 81
    assert (family(composed, points) - family(theta, first))[both].abs().max() < 1e-9


def test_a_composition_with_the_center_behind_the_horizon_is_nan():
    family, theta = projective(TILTED, TILTED, TILTED)
    # The center goes to x = 0.75, 0.5 and 0.25; the horizon is at 0.5.
    shift = family.identity().repeat(3, 1)
    shift[:, 2] = torch.tensor([0.75, 0.5, 0.25])
    shift.requires_grad_()
    composed = family.compose(theta, shift)
    assert composed[:2].isnan().all()
    assert composed[2].isfinite().all()
    (gradient,) = torch.autograd.grad(composed[2].sum(), shift)
    assert gradient.isfinite().all()
    assert math.isfinite(family.grid(composed.detach(), (3, 3)).sum().item())


@pytest.mark.parametrize("name", ["projective", "homography4"])
@pytest.mark.parametrize("grad", [False, True])
def test_a_guarded_grid_does_not_change_the_others_of_its_batch(name, grad):
    family = stnkit.build("transform", name)
    generator = torch.Generator().manual_seed(0)
    near = family.identity() + 0.1 * torch.randn(4, 8, generator=generator, dtype=torch.float64)
    far = family.identity()[None].clone()
    far[0, :8:4] = 3.0 if name == "homography4" else far[0, :8:4]  # one corner inside out
    if name == "projective":
        far[0, 6] = 3.0
    results = []
    for theta in (near, torch.cat([near, far])):
        theta = theta.clone().requires_grad_(grad)
        grid = family.grid(theta, (6, 9))
        gradient = torch.autograd.grad(grid[:4].square().sum(), theta)[0][:4] if grad else None
        results.append((grid[:4].detach(), gradient))
    (alone, alone_gradient), (beside, beside_gradient) = results
    assert torch.equal(alone, beside)
    if grad:
        torch.testing.assert_close(alone_gradient, beside_gradient, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("slope", [0.97, 0.999, 1.0, 1.2])
def test_a_horizon_next_to_the_image_is_guarded(slope):
    # w is 1 − slope at the corner of [-1, 1]: with 30 above it, more than OUTSIDE in front of the horizon.
    family, theta = projective([30.0, 0.0, 0.0, 0.0, 30.0, 0.0, -slope, 0.0])
    grid = family.grid(theta, (3, 4000))
    assert grid.isfinite().all()
    assert grid.abs().max() <= OUTSIDE
    behind = stnkit.coordinates.axis(4000, dtype=torch.float64) * slope >= 1
    assert (grid[0][:, behind].abs() == OUTSIDE).all()


def test_the_gradient_of_mapped_grids_is_that_of_the_batch():
    family, tilted = projective(TILTED)
    theta = torch.cat([tilted, family.identity()[None]]).requires_grad_()

    def one(row):
        return family.grid(row[None], (4, 6)).square().sum()

    (expected,) = torch.autograd.grad(family.grid(theta, (4, 6)).square().sum(), theta)
    assert expected.isfinite().all()
    (mapped,) = torch.autograd.grad(torch.func.vmap(one)(theta).sum(), theta)
    torch.testing.assert_close(mapped, expected)
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(one))(theta.detach()), expected)


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
@pytest.mark.parametrize("behind", [False, True])
def test_forward_mode_and_second_derivatives_pass_gradcheck(behind):
    family, tilted = projective(TILTED)
    theta = family.identity()[None] + 0.05 if not behind else tilted
    theta = theta.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda theta: family.grid(theta, (3, 4)), theta, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda theta: family.grid(theta, (3, 4)), theta)


@pytest.mark.no_jaxtyping
def test_a_trace_does_not_depend_on_its_example_values():
    family, far = projective(TILTED, dtype=torch.float32)
    near = family.identity()[None].float()
    graph = torch.fx.experimental.proxy_tensor.make_fx(lambda theta: family.grid(theta, (4, 8)))(near)
    torch.testing.assert_close(graph(far), family.grid(far, (4, 8)))
