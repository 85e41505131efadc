"""Fits of functions of local support: a sparse system finds what the dense one does, and large lattices too."""

import numpy as np
import pytest
import scipy.interpolate
import torch

import stnkit
from stnkit.errors import InputError
from stnkit.families.correspondences import linear
from tests.helpers import random_points, random_theta


class Hats(stnkit.families.LinearFamily):
    """p's coordinates by a sum of nine hat functions of x, of which two act at each point."""

    n_params = 18

    def identity(self):
        nodes = torch.linspace(-1, 1, 9, dtype=torch.float64)
        return torch.cat([nodes, torch.zeros(9, dtype=torch.float64)])

    def basis(self, points):
        nodes = torch.linspace(-1, 1, 9, dtype=torch.float64)
        return (1 - 4 * (points[:, :1] - nodes).abs()).clamp(min=0)

    def local_basis(self, points):
        position = 4 * (points[:, 0] + 1)
        first = position.detach().floor().clamp(0, 7)
        share = position - first
        index = first.long()
        return torch.stack([index, index + 1], dim=1), torch.stack([1 - share, share], dim=1)


FAMILIES = {
    "bspline": stnkit.build("transform", "bspline", control_points=[5, 4]),
    "pinned": stnkit.build("transform", "bspline", control_points=[7, 8], pinned="borders"),
    "bspline in 3-D": stnkit.build("transform", "bspline", control_points=[4, 5, 4], ndim=3),
    "displacement": stnkit.build("transform", "displacement", resolution=[3, 4]),
    "one row": stnkit.build("transform", "displacement", resolution=[1, 4]),
    "hats": Hats(),
}


@pytest.fixture
def always_sparse(monkeypatch):
    """A sparse system for the smallest fits too."""
    monkeypatch.setattr(linear, "DENSE_FIT", 0)


def noisy(family, n=400):
    points = random_points(family, batch=2, n=n)
    source = family(random_theta(family, batch=2) + family.identity(), points)
    return points, source + 0.1 * random_points(family, batch=2, n=n, seed=5)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_sparse_system_has_the_solution_of_a_dense_one(name, monkeypatch):
    family = FAMILIES[name]
    target, source = noisy(family)
    weights = random_points(family, batch=2, seed=9, n=400)[..., 0].clamp(min=0)
    dense = family.fit(target, source, weights)
    monkeypatch.setattr(linear, "DENSE_FIT", 0)
    # What the sparse path does not use must not be needed.
    monkeypatch.setattr(linear, "is_regular", None)
    torch.testing.assert_close(family.fit(target, source, weights), dense, rtol=1e-11, atol=1e-11)
    # Points that all elements share.
    shared = family.fit(target[:1], source, weights[:1])
    torch.testing.assert_close(shared[:1], dense[:1], rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", ["pinned", "displacement", "hats"])
def test_sparse_fits_have_two_derivatives(name, always_sparse):
    family = FAMILIES[name]
    target, source = (points[:1].requires_grad_() for points in noisy(family, n=60))
    weights = torch.linspace(0.5, 1.5, 60, dtype=torch.float64)[None].requires_grad_()
    inputs = (target, source, weights)
    assert torch.autograd.gradcheck(family.fit, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(family.fit, inputs, fast_mode=True)


def test_a_b_spline_is_scipys_least_squares_spline():
    family = stnkit.build("transform", "bspline", control_points=[16, 16])
    generator = np.random.default_rng(0)
    x, y = generator.uniform(-1, 1, (2, 2_000))
    moved = np.stack([np.sin(3 * x + y), np.cos(4 * y) * x], axis=-1) / 10 + generator.normal(0, 1e-3, (2_000, 2))
    target = torch.from_numpy(np.stack([x, y], axis=-1))[None]
    theta = family.fit(target, target + torch.from_numpy(moved)[None])
    fitted = (family(theta, target) - target)[0].numpy()
    # Their knots are the edges of our cells.
    knots = np.linspace(-1, 1, 14)[1:-1]
    for k in range(2):
        spline = scipy.interpolate.LSQBivariateSpline(x, y, moved[:, k], knots, knots, bbox=[-1, 1, -1, 1])
        np.testing.assert_allclose(fitted[:, k], spline.ev(x, y), atol=1e-9)


def test_a_lattice_whose_dense_system_takes_gigabytes_is_fitted():
    # 64 × 64 control points from 20,000 correspondences: 2.6 GB for the columns of θ alone.
    family = stnkit.build("transform", "bspline", control_points=[64, 64])
    theta = random_theta(family, batch=1)
    points = random_points(family, batch=1, n=20_000)
    torch.testing.assert_close(family.fit(points, family(theta, points)), theta, rtol=0, atol=1e-10)


def test_control_points_that_no_point_reads_are_counted(always_sparse):
    points = random_points(FAMILIES["displacement"], batch=2, n=50).clamp(max=0.0)
    with pytest.raises(
        InputError, match=r"Displacement.fit: expected points .* 50 of positive weight at index 0 .* none of them where"
    ):
        FAMILIES["displacement"].fit(points, points)


def test_points_that_do_not_tell_two_functions_apart_are_refused(always_sparse):
    points = torch.linspace(-0.5, 1, 40, dtype=torch.float64)[None, :, None].repeat(1, 1, 2)
    points[0, 1:9, 0] = -0.875  # the first hat is 0 elsewhere, and there it is as large as the second
    with pytest.raises(InputError, match="from which 16 of its 18 degrees of freedom follow"):
        Hats().fit(points, points)


def test_a_function_outside_of_the_image_is_no_obstacle(always_sparse):
    class WithOneOutside(Hats):
        n_params = 20

        def identity(self):
            nodes = torch.cat([super().identity()[:9], torch.tensor([3.0], dtype=torch.float64)])
            return torch.cat([nodes, torch.zeros(10, dtype=torch.float64)])

        def basis(self, points):
            return torch.cat([super().basis(points), (1 - 4 * (points[:, :1] - 3).abs()).clamp(min=0)], dim=-1)

    family = WithOneOutside()
    target, source = noisy(family)
    expected = FAMILIES["hats"].fit(target, source).view(2, 2, 9)
    torch.testing.assert_close(family.fit(target, source).view(2, 2, 10)[..., :9], expected, rtol=0, atol=1e-9)
