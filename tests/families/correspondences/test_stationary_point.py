"""Newton steps: their second derivatives, and what they cost."""

import pytest
import torch

import stnkit
from stnkit.families.correspondences import stationary_point
from tests.helpers import random_points, random_theta

FAMILY = stnkit.build("transform", "projective")


def noisy(n, batch):
    points = random_points(FAMILY, batch=batch, n=n)
    theta = FAMILY.identity() + random_theta(FAMILY, batch=batch, scale=0.1)
    return theta, (points, FAMILY(theta, points) + 0.02 * random_points(FAMILY, batch=batch, n=n, seed=6))


@pytest.mark.parametrize("together", [1, 50, 130, 2**20])
def test_second_derivatives_are_those_of_autograd(together, monkeypatch):
    monkeypatch.setattr(stationary_point, "TOGETHER", together)
    theta, points = noisy(20, batch=3)
    weights = random_points(FAMILY, batch=3, n=20, seed=3)[..., 0].abs()
    found = stationary_point._hessian(FAMILY, theta, (*points, weights), torch.ones_like(theta))

    def half_cost(index):
        def of_one(one):
            missing = FAMILY(one[None], points[0][index : index + 1]) - points[1][index]
            return (weights[index, :, None] * missing[0].square()).sum() / 2

        return of_one

    expected = torch.stack([torch.autograd.functional.hessian(half_cost(k), theta[k]) for k in range(3)])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_a_fit_of_noisy_points_takes_second_derivatives_once(monkeypatch):
    calls = []
    hessian = stationary_point._hessian

    def counted(*args):
        calls.append(1)
        return hessian(*args)

    monkeypatch.setattr(stationary_point, "_hessian", counted)
    _, points = noisy(500, batch=1)
    found = FAMILY.fit(*points)
    assert len(calls) == 1
    slope = stationary_point.slope_of(FAMILY, found, *points, torch.ones(1, 500, dtype=torch.float64))
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)
