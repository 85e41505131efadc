"""Families that are affine in θ: closed form, as SciPy's least squares, with two derivatives."""

import numpy as np
import pytest
import scipy.linalg
import torch

import stnkit
from stnkit.errors import InputError
from tests.helpers import random_points, random_theta

AFFINE = stnkit.build("transform", "affine")
SPLINE = stnkit.build("transform", "tps", control_points=[2, 3])


def noisy(family, n=30, size=0.1):
    points = random_points(family, batch=2, n=n)
    source = family(random_theta(family, batch=2) + family.identity(), points)
    return points, source + size * random_points(family, batch=2, n=n, seed=5)


def test_affine_is_scipys_least_squares():
    target, source = noisy(AFFINE)
    weights = random_points(AFFINE, batch=2, seed=9, n=30)[..., 0].abs()
    found = AFFINE.fit(target, source, weights)
    for k in range(2):
        root = weights[k].sqrt().numpy()[:, None]
        design = np.concatenate([target[k].numpy(), np.ones((30, 1))], axis=1)
        expected = scipy.linalg.lstsq(root * design, root * source[k].numpy())[0].T
        np.testing.assert_allclose(found[k].view(2, 3).numpy(), expected, atol=1e-13)


def test_a_spline_is_scipys_least_squares_of_its_functions():
    target, source = noisy(SPLINE)
    found = SPLINE.fit(target, source)
    units = torch.eye(6, dtype=torch.float64).repeat(1, 2)  # each control point along x and y at once
    for k in range(2):
        design = SPLINE(units, target[k : k + 1])[..., 0].T.numpy()
        expected = scipy.linalg.lstsq(design, source[k].numpy())[0].T
        np.testing.assert_allclose(found[k].view(2, 6).numpy(), expected, atol=1e-12)


def test_entries_of_both_coordinates_are_solved_together():
    class Mixed(stnkit.TransformFamily):
        """p + θ₀ (1, 1) + θ₁ (y, −x)."""

        n_params = 2

        def identity(self):
            return torch.zeros(2, dtype=torch.float64)

        def forward(self, theta, points):
            x, y = points.unbind(dim=-1)
            return points + theta[:, :1, None] + theta[:, 1:, None] * torch.stack([y, -x], dim=-1)

        def _fit(self, target, source, weights):
            return stnkit.families.linear_least_squares(self, self.identity(), target, source, weights)

    family = Mixed()
    target, source = noisy(family)
    found = family.fit(target, source)
    x, y = target[0].T.numpy()
    design = np.stack([np.ones(60), np.concatenate([y, -x])], axis=1)
    expected = scipy.linalg.lstsq(design, (source - target)[0].T.numpy().reshape(-1))[0]
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-13)


@pytest.mark.parametrize("family", [AFFINE, SPLINE], ids=["affine", "tps"])
def test_closed_forms_have_two_derivatives_in_points_and_weights(family):
    target, source = (points[:1].requires_grad_() for points in noisy(family, n=8))
    weights = torch.linspace(0.5, 1.5, 8, dtype=torch.float64)[None].requires_grad_()
    assert torch.autograd.gradcheck(family.fit, (target, source, weights))
    assert torch.autograd.gradgradcheck(family.fit, (target, source, weights), fast_mode=True)


def test_the_derivative_in_a_weight_of_zero_is_right():
    target, source = noisy(AFFINE)
    weights = torch.ones(2, 30, dtype=torch.float64)
    weights[:, 3] = 0
    weights.requires_grad_()
    (slope,) = torch.autograd.grad(AFFINE.fit(target, source, weights)[0, 2], weights)
    step = torch.zeros_like(weights)
    step[0, 3] = 1e-6
    change = (
        AFFINE.fit(target, source, weights.detach() + step)[0, 2] - AFFINE.fit(target, source, weights.detach())[0, 2]
    )
    torch.testing.assert_close(slope[0, 3], change.detach() / 1e-6, rtol=1e-4, atol=1e-8)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ([[0, 0], [1, 0]], "got 2 of positive weight at index 0 of the batch, from which 4 of its 6 degrees of"),
        ([[0, 0], [1, 1], [-1, -1], [0.5, 0.5]], "got 4 of positive weight at index 0 .* which 4 of its 6 degrees of"),
    ],
    ids=["too few", "on one line"],
)
def test_points_that_do_not_determine_theta_are_refused(points, sentence):
    points = torch.tensor([points], dtype=torch.float64)
    with pytest.raises(InputError, match=f"^Affine.fit: expected points that determine the map, {sentence} freedom"):
        AFFINE.fit(points, points)


@pytest.mark.no_jaxtyping
def test_the_rank_of_a_coordinate_refuses_points_at_once(monkeypatch):
    def refuse(*_):
        raise AssertionError("steps of all entries of θ, of which the rank is known")

    monkeypatch.setattr("stnkit.families.correspondences.linear.gauss_newton", refuse)
    family = stnkit.build("transform", "displacement", resolution=[4, 40])
    points = stnkit.coordinates.lattice((20, 30), dtype=torch.float64).reshape(1, -1, 2)
    weights = torch.ones(2, 600, dtype=torch.float64)
    weights[1, 0] = 0
    with pytest.raises(InputError, match=r"got 600 of positive weight at index 0 .* which 240 of its 320 degrees"):
        family.fit(points, points, weights)


def test_functions_outside_of_the_image_leave_points_enough():
    class Both(stnkit.TransformFamily):
        """p + θ (1, 1) and functions that are 0 on the image."""

        n_params = 4

        def identity(self):
            return torch.zeros(4, dtype=torch.float64)

        def forward(self, theta, points):
            inside, beyond = theta[:, 0::2, None].mT, theta[:, 1::2, None].mT
            return points + inside + beyond * (points - 1).clamp_min(0)

        def _fit(self, target, source, weights):
            return stnkit.families.linear_least_squares(self, self.identity(), target, source, weights)

    points = random_points(Both(), batch=1, n=9).clamp(-1, 1)
    found = Both().fit(points, points + 0.25)
    torch.testing.assert_close(found, torch.tensor([[0.25, 0.0, 0.25, 0.0]], dtype=torch.float64))
