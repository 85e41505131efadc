"""Fits that end at a bound of θ, against SciPy's least squares with bounds."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

import stnkit
from stnkit.errors import InputError
from stnkit.families.correspondences.held_entries import bounds_of
from tests.helpers import random_points, random_theta


class Shift(stnkit.TransformFamily):
    """A shift of x by θ₀, and of y by θ₁, that act between −1 and 1; θ₂ is without influence."""

    n_params = 3

    def identity(self):
        return torch.zeros(3, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None, :2].clamp(-1, 1)


SHIFT = Shift()
POINTS = random_points(SHIFT, batch=1, n=9)


def moved(x, y):
    return POINTS + POINTS.new_tensor([x, y])


@pytest.mark.parametrize("seed", [1, 4])
def test_velocities_at_their_bound_are_the_bounded_minimum(seed):
    family = stnkit.build("transform", "velocity", control_points=[4, 5], steps=2)
    points = random_points(family, batch=1, n=200, seed=seed)
    noise = random_theta(family, batch=1, scale=0.2, seed=seed)
    source = family(noise, points) + 0.04 * random_points(family, batch=1, n=200, seed=seed + 10)
    found = family.fit(points, source)
    assert float(found.abs().max()) > 8

    def residuals(theta):
        theta = torch.from_numpy(np.atleast_2d(theta))
        return (family(theta, points) - source).flatten(1).squeeze(0).numpy()

    def slopes(theta):
        # A direction of θ for each element of a batch.
        steps = 1e-6 * np.eye(family.n_params)
        return ((residuals(theta + steps) - residuals(theta - steps)) / 2e-6).T

    start = np.zeros(family.n_params)
    expected = least_squares(residuals, start, slopes, bounds=(-8, 8), xtol=1e-12, ftol=1e-12, gtol=1e-10)
    assert np.abs(expected.x).max() > 7.99
    cost = float((family(found, points) - source).square().sum()) / 2
    assert cost == pytest.approx(expected.cost, rel=1e-6)
    nearest = torch.from_numpy(expected.x)[None]
    torch.testing.assert_close(family(found, points), family(nearest, points), rtol=0, atol=1e-4)


def test_a_shift_beyond_the_bound_ends_there_without_a_slope():
    source = moved(1.5, 0.25).requires_grad_()
    found = SHIFT(SHIFT.fit(POINTS, source), POINTS)
    torch.testing.assert_close(found, moved(1.0, 0.25))
    (slope,) = torch.autograd.grad(found[0, 0, 0], source)
    assert not slope.any()
    (slope,) = torch.autograd.grad(SHIFT(SHIFT.fit(POINTS, source), POINTS)[0, 0, 1], source)
    torch.testing.assert_close(slope[0, :, 1], torch.full((9,), 1 / 9, dtype=torch.float64))


@pytest.mark.parametrize(("x", "held"), [(3.0, 1), (1.001, 1), (0.999, 0), (0.25, 0), (-3.0, 0)])
def test_an_entry_is_held_if_the_minimum_lies_beyond_it(x, held):
    start, theta, dead = (POINTS.new_tensor([row]) for row in ([0.0, 0, 0], [1.7, 0.25, 5.0], [1.0, 0, 1]))
    points = POINTS, moved(x, 0.25), torch.ones(1, 9, dtype=torch.float64)
    assert bounds_of(SHIFT, start, theta, points, dead[0].bool()).held.sum() == held


@pytest.mark.no_jaxtyping
def test_velocities_that_no_point_reads_are_still_refused():
    family = stnkit.build("transform", "velocity", control_points=[4, 5], steps=2)
    points = random_points(family, batch=1, n=200) * torch.tensor([0.4, 1.0]) + torch.tensor([0.5, 0.0])
    with pytest.raises(InputError, match=r"got 200 of .*, from which 32 of its 40 degrees of freedom follow"):
        family.fit(points, points + 0.001)
