"""Fits whose steps pass a bound of θ, beyond which no slope leads back."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

import stnkit
from tests.helpers import random_points


class Cubic(stnkit.TransformFamily):
    """A shift of x by θ₀³ + θ₀/10, and of y by θ₁, that act between −1 and 1."""

    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        x, y = theta.clamp(-1, 1)[:, None].split(1, dim=-1)
        return points + torch.cat([x**3 + x / 10, y], dim=-1)


CUBIC = Cubic()
POINTS = random_points(CUBIC, batch=1, n=9)


@pytest.mark.parametrize("x", [0.8, -0.8, 1.0, 1.0999])
def test_an_entry_beyond_its_bound_comes_back(x):
    # The first step leads to θ₀ = ±4, which is nearer than 0 and without a slope.
    source = POINTS + POINTS.new_tensor([x, 0.25])
    found = CUBIC.fit(POINTS, source)
    torch.testing.assert_close(CUBIC(found, POINTS), source, rtol=0, atol=1e-9)
    assert float(found.abs().max()) < 1


def test_an_entry_that_comes_back_has_its_gradient():
    source = (POINTS + POINTS.new_tensor([0.8, 0.25])).requires_grad_()
    (slope,) = torch.autograd.grad(CUBIC(CUBIC.fit(POINTS, source), POINTS)[0, 0, 0], source)
    torch.testing.assert_close(slope[0, :, 0], torch.full((9,), 1 / 9, dtype=torch.float64), rtol=0, atol=1e-9)


def test_an_element_that_comes_back_leaves_the_others():
    shifts = POINTS.new_tensor([[0.01, 0.5], [0.8, 0.25], [3.0, 0.1]])[:, None]
    found = CUBIC(CUBIC.fit(POINTS, POINTS + shifts), POINTS)
    shifts[2, 0, 0] = 1.1
    torch.testing.assert_close(found, POINTS + shifts, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_noisy_velocities_reach_the_bounded_minimum():
    family = stnkit.build("transform", "velocity", control_points=[4, 4])
    torch.manual_seed(6)
    theta, points = 0.2 * torch.randn(1, 32, dtype=torch.float64), 2 * torch.rand(1, 300, 2, dtype=torch.float64) - 1
    source = family(theta, points) + 0.05 * torch.randn(1, 300, 2, dtype=torch.float64)
    found = family.fit(points, source)
    cost = float((family(found, points) - source).square().sum()) / 2

    def residuals(theta):
        theta = torch.from_numpy(np.atleast_2d(theta))
        return (family(theta, points) - source).flatten(1).squeeze(0).numpy()

    def slopes(theta):
        steps = 1e-6 * np.eye(family.n_params)
        return ((residuals(theta + steps) - residuals(theta - steps)) / 2e-6).T

    expected = least_squares(residuals, theta[0].numpy(), slopes, bounds=(-8, 8))
    assert (np.abs(expected.x) > 7.999).sum() == 2
    assert cost == pytest.approx(expected.cost, rel=1e-6)
