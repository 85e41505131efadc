"""Jacobians, folds and bending of every family, against finite differences and formulas."""

import math

import numpy as np
import pytest
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import lattice_points, random_points, random_theta

VOLUMES = (
    "affine", "attention", "bspline", "displacement", "euclidean", "piecewise_affine", "rotation", "scale", "shear",
    "similarity", "tps",
    "translation",
)  # fmt: skip
# Two steps of a flow are a loop as well as eight, and are differentiated in a quarter of the time.
FAMILIES = [(name, {"steps": 2} if name == "velocity" else {}) for name in plugin_registry().names("transform")]
FAMILIES += [(name, {"ndim": 3}) for name in VOLUMES]
FAMILIES += [("bounded", {"inner": "tps"}), ("bounded", {"inner": {"name": "affine", "ndim": 3}})]
WITH_IDENTITY = [(name, options) for name, options in FAMILIES if not stnkit.build("transform", name).is_chart]
# No pixel center lies on an edge between pieces.
SIZE = {2: (6, 16), 3: (4, 6, 16)}


def built(name, options):
    return stnkit.build("transform", name, **options)


def near_identity(family, batch=3, scale=0.1):
    return family.identity() + random_theta(family, batch, scale)


def differences(evaluate, points, step):
    """∂/∂p_j of a function of points, as the last axis."""
    steps = step * torch.eye(points.shape[-1], dtype=points.dtype)
    return torch.stack([(evaluate(points + s) - evaluate(points - s)) / (2 * step) for s in steps], dim=-1)


def second_differences(family, theta, points, step):
    return differences(lambda p: differences(lambda q: family(theta, q), p, step), points, step)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_the_jacobian_is_that_of_finite_differences(name, options):
    family = built(name, options)
    theta, points = near_identity(family), random_points(family)
    expected = differences(lambda p: family(theta, p), points, 1e-6)
    found = stnkit.families.jacobian(family, theta, points)
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-7)
    determinant = stnkit.jacobian_determinant(family, theta, points)
    torch.testing.assert_close(determinant, torch.linalg.det(expected), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_bending_is_that_of_second_finite_differences(name, options):
    family = built(name, options)
    theta, size = near_identity(family), SIZE[family.ndim]
    # Nearer than 1e-4 to some pixel centers a trajectory of cpab passes other triangles.
    step = 3e-5 if name == "cpab" else 1e-4
    second = second_differences(family, theta, lattice_points(size).expand(3, -1, -1), step)
    expected = second.square().sum(dim=(-3, -2, -1)).mean(dim=1)
    torch.testing.assert_close(stnkit.bending_energy(family, theta, size), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_gradients_in_theta_are_those_of_differences(name, options):
    family = built(name, options)
    theta, size = near_identity(family, batch=1).requires_grad_(), (2, 3, 2)[: family.ndim]

    def figures(theta):
        # Of a family without bending the energy is a constant, whose gradient gradcheck does not take.
        bending, determinant = (f(family, theta, size) for f in (stnkit.bending_energy, stnkit.jacobian_determinant))
        return bending + determinant.square().flatten(1).sum(dim=1)

    assert torch.autograd.gradcheck(figures, theta, fast_mode=True, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), FAMILIES)
def test_every_figure_has_a_gradient_even_where_it_is_constant(name, options):
    family = built(name, options)
    theta, size = near_identity(family, batch=2).float().requires_grad_(), (2, 3, 2)[: family.ndim]
    for figure in (stnkit.bending_energy, stnkit.jacobian_determinant, stnkit.families.jacobian):
        (gradient,) = torch.autograd.grad(figure(family, theta, size).sum(), theta)
        assert bool(gradient.isfinite().all())
        assert not figure(family, theta.detach(), size).requires_grad


def test_a_constant_energy_is_zero_and_so_is_its_gradient():
    family = built("affine", {})
    theta = near_identity(family).requires_grad_()
    energy = stnkit.bending_energy(family, theta, (8, 8))
    energy.sum().backward()
    assert energy.tolist() == [0, 0, 0]
    assert theta.grad.eq(0).all()
    each = torch.func.vmap(torch.func.grad(lambda row: stnkit.bending_energy(family, row[None], (8, 8))[0]))
    assert each(theta.detach()).eq(0).all()


def test_an_energy_that_an_author_gives_as_zero_has_a_gradient():
    class Shift(stnkit.TransformFamily):
        n_params = 2

        def identity(self):
            return torch.zeros(2, dtype=torch.float64)

        def forward(self, theta, points):
            return points + theta[:, None]

        def _bending_energy(self, theta, size):
            return theta.new_zeros(len(theta))

    theta = torch.tensor([[0.5, math.inf]], requires_grad=True)
    stnkit.bending_energy(Shift(), theta, (4, 4)).sum().backward()
    assert theta.grad.tolist() == [[0, 0]]


@pytest.mark.parametrize(("name", "options"), WITH_IDENTITY)
def test_the_identity_is_regular_on_any_size(name, options):
    family = built(name, options)
    theta, size = family.identity()[None], SIZE[family.ndim]
    determinant = stnkit.jacobian_determinant(family, theta, size)
    torch.testing.assert_close(determinant, torch.ones(1, *size, dtype=torch.float64))
    assert stnkit.bending_energy(family, theta, size).item() < 1e-12
    assert stnkit.folds(family, theta, size).item() == 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_an_affine_map_has_one_determinant_and_no_bending(ndim):
    family = built("affine", {"ndim": ndim})
    theta = near_identity(family, scale=0.5)
    expected = torch.linalg.det(theta.view(3, ndim, ndim + 1)[..., :ndim])
    found = stnkit.jacobian_determinant(family, theta, SIZE[ndim])
    torch.testing.assert_close(found, expected.view(3, *[1] * ndim).expand_as(found))
    assert float(stnkit.bending_energy(family, theta, SIZE[ndim]).max()) < 1e-24
    torch.testing.assert_close(stnkit.folds(family, theta, SIZE[ndim]), (expected <= 0).double())


def test_a_projective_determinant_is_that_of_the_matrix_over_w3():
    family = built("projective", {})
    theta, points = near_identity(family, scale=0.15), random_points(family)
    matrix = family.matrix(theta)
    w = (matrix[:, 2, None, :2] * points).sum(dim=-1) + matrix[:, 2, None, 2]
    expected = torch.linalg.det(matrix)[:, None] / w**3
    assert float(w.min()) > 0.3
    torch.testing.assert_close(stnkit.jacobian_determinant(family, theta, points), expected)


# ∂²φ/∂p∂p = f(r) I + g(r) r̂ r̂ᵀ, of φ = r² log r and of φ = −r.
HESSIANS = {
    "thin_plate_spline": (lambda r: 1 + 2 * np.log(r), lambda r: 2 + 0 * r),
    "linear": (lambda r: -1 / r, lambda r: 1 / r),
}


@pytest.mark.parametrize(
    ("kernel", "counts", "size"),
    [
        ("thin_plate_spline", [3, 3], (5, 8)),
        # The middle pixels are control points, but for a rounding error.
        ("thin_plate_spline", [3, 3], (7, 15)),
        ("thin_plate_spline", [5, 5], (7, 7)),
        ("linear", [3, 3], (29, 31)),
        ("linear", [3, 3, 3], (7, 11, 15)),
        ("linear", [3, 5, 3], (4, 6, 15)),
    ],
    ids=str,
)
def test_a_spline_has_the_bending_of_the_kernels_derivatives(kernel, counts, size):
    family = built("tps", {"control_points": counts, "ndim": len(counts), "kernel": kernel})
    theta, n_points = near_identity(family), len(family.control_points)
    weights = family.coefficients(theta)[:, :, :n_points].numpy()
    away = lattice_points(size)[0].numpy()[:, None] - family.control_points.numpy()
    r = np.linalg.norm(away, axis=-1)[..., None, None]
    same = r < 1e-9  # the second derivatives at a control point are defined as 0
    r, direction = np.where(same, 1.0, r), away / np.where(same, 1.0, r)[..., 0]
    isotropic, radial = HESSIANS[kernel]
    outer = direction[..., None] * direction[..., None, :]
    hessian = np.where(same, 0.0, isotropic(r) * np.eye(len(counts)) + radial(r) * outer)
    second = np.einsum("bik,nkst->bnist", weights, hessian)
    expected = (second**2).sum(axis=(2, 3, 4)).mean(axis=1)
    np.testing.assert_allclose(stnkit.bending_energy(family, theta, size), expected, rtol=1e-10)


def test_the_mean_converges_to_the_integral_of_a_cosine():
    # T(x, y) = x + a cos πx: the mean of (a π² cos πx)² over [-1, 1] is a² π⁴ / 2.
    class Wave(stnkit.TransformFamily):
        n_params = 1

        def identity(self):
            return torch.zeros(1, dtype=torch.float64)

        def forward(self, theta, points):
            return points + theta[:, None] * torch.cos(math.pi * points[..., :1]) * points.new_tensor([1.0, 0.0])

    energy = stnkit.bending_energy(Wave(), torch.tensor([[0.2]]), (2, 64))
    torch.testing.assert_close(energy, torch.tensor([0.2**2 * math.pi**4 / 2]))
    # 1 − 0.5 π sin πx ≤ 0 where sin πx ≥ 2/π: the share of [-1, 1] is ½ − asin(2/π)/π.
    share = stnkit.folds(Wave(), torch.tensor([[0.5]]), (1, 4000)).item()
    assert share == pytest.approx(0.5 - math.asin(2 / math.pi) / math.pi, abs=1e-3)


def test_an_affine_map_in_pieces_does_not_bend():
    family = built("piecewise_affine", {})
    theta = near_identity(family)
    assert stnkit.bending_energy(family, theta, (7, 9)).tolist() == [0, 0, 0]
    theta.view(3, 2, -1)[1, 0] *= -1  # mirrored, and with it every piece
    assert stnkit.folds(family, theta, (7, 9)).tolist() == [0, 1, 0]


def test_points_behind_a_horizon_are_folded_and_finite():
    family = built("homography4", {})
    theta = near_identity(family, batch=200, scale=1.5).float().requires_grad_()
    energy, determinant = (f(family, theta, (9, 9)) for f in (stnkit.bending_energy, stnkit.jacobian_determinant))
    behind = family.grid(theta.detach(), (9, 9)).abs().amax(dim=-1) >= stnkit.coordinates.OUTSIDE
    assert 0 < int(behind.sum()) < behind.numel()
    assert float(determinant.detach()[behind].abs().max()) == 0
    assert bool((stnkit.folds(family, theta, (9, 9)) >= behind.float().mean(dim=(1, 2)) - 1e-6).all())
    assert bool(energy.isfinite().all())
    (gradient,) = torch.autograd.grad(energy.log1p().sum() + determinant.sum(), theta)
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("options", [{}, {"ndim": 3}])
@pytest.mark.parametrize("name", ["tps", "piecewise_affine", "bspline"])
def test_a_size_gives_what_its_pixel_centers_give(name, options):
    # Of a linear family the derivatives of the basis are cached for a size, and not for points.
    family = built(name, options)
    size, points = SIZE[family.ndim], lattice_points(SIZE[family.ndim])
    for seed in range(2):  # the second time from the cache
        theta = family.identity() + random_theta(family, seed=seed)
        found = stnkit.families.jacobian(family, theta, size)
        torch.testing.assert_close(found.flatten(1, -3), stnkit.families.jacobian(family, theta, points))
        each = torch.func.vmap(lambda row: stnkit.bending_energy(family, row[None], size)[0])
        torch.testing.assert_close(each(theta), stnkit.bending_energy(family, theta, size))


def test_folds_and_bending_of_a_volume_are_taken_in_chunks(monkeypatch):
    family = built("tps", {"ndim": 3})
    theta = near_identity(family, scale=0.3)
    expected = (stnkit.jacobian_determinant(family, theta, (7, 8, 9)) <= 0).double().mean(dim=(1, 2, 3))
    assert 0 < float(expected.min()) < float(expected.max()) < 1
    bending = stnkit.bending_energy(family, theta, (7, 8, 9))
    monkeypatch.setattr("stnkit.families.regularity.CHUNK", 100)
    monkeypatch.setattr("stnkit.families.derivatives.CHUNK", 100)
    monkeypatch.setattr("stnkit.families.derivatives.BASIS_CACHE_BYTES", 0)
    torch.testing.assert_close(stnkit.folds(family, theta, (7, 8, 9)), expected)
    again = built("tps", {"ndim": 3})
    torch.testing.assert_close(stnkit.bending_energy(again, theta, (7, 8, 9)), bending)


@pytest.mark.parametrize("name", ["tps", "bspline", "projective"])
def test_evaluations_give_the_same_without_a_gradient(name):
    family = built(name, {})
    theta = near_identity(family).requires_grad_()
    expected = stnkit.bending_energy(family, theta, (6, 6))
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            found = stnkit.bending_energy(family, theta.detach().clone(), (6, 6))
            share = stnkit.folds(family, theta.detach().clone(), (6, 6))
        assert not found.requires_grad
        assert share.shape == (3,)
        torch.testing.assert_close(found.clone(), expected.detach())


def test_half_precision_is_widened_and_one_row_serves_points():
    family = built("tps", {})
    theta = near_identity(family, batch=2)
    assert stnkit.bending_energy(family, theta.half(), (4, 4)).dtype == torch.float32
    assert stnkit.folds(family, theta.half(), (4, 4)).dtype == torch.float32
    points = random_points(family, batch=1, n=4)
    one = stnkit.jacobian_determinant(family, theta, points)
    torch.testing.assert_close(one, stnkit.jacobian_determinant(family, theta, points.expand(2, -1, -1)))


@pytest.mark.no_jaxtyping
def test_what_does_not_fit_the_family_is_one_sentence():
    family, InputError = built("affine", {}), stnkit.errors.InputError
    theta = family.identity()[None]
    with pytest.raises(InputError, match=r"expected theta of shape \(B, 6\), got \(1, 5\)"):
        stnkit.folds(family, theta[:, :5], (4, 4))
    with pytest.raises(InputError, match=r"size: expected 2 whole numbers of at least 1, got \[4, 4, 4\]"):
        stnkit.bending_energy(family, theta, (4, 4, 4))
    with pytest.raises(InputError, match=r"expected points of shape \(1, N, 2\), got \(1, 4, 3\)"):
        stnkit.jacobian_determinant(family, theta, torch.rand(1, 4, 3))


def test_the_method_of_a_family_is_the_same_determinant():
    family = stnkit.build("transform", "similarity")
    theta, points = random_theta(family), random_points(family)
    for at in (points, (4, 5)):
        expected = stnkit.jacobian_determinant(family, theta, at)
        torch.testing.assert_close(family.jacobian_determinant(theta, at), expected, rtol=0, atol=0)
