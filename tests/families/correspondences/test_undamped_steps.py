"""Fits of points that are close together, of which an angle and a shift move all nearly alike."""

import pytest
import torch

import stnkit
from stnkit.families.correspondences.least_squares import shortest_solution
from stnkit.families.correspondences.undamped_steps import reducible_share
from tests.helpers import random_points

MOVED = {"rotation": [0.3], "scale": [0.2], "shear": [0.3, -0.2], "translation": [0.2, -0.1]}


def composed(*stages):
    family = stnkit.build("transform", "compose", stages=list(stages))
    return family, torch.tensor([[entry for name in stages for entry in MOVED[name]]], dtype=torch.float64)


def cluster(family, size, n=50):
    return 0.5 + size * random_points(family, batch=1, n=n)


@pytest.mark.parametrize("size", [1e-3, 1e-4, 1e-6])
@pytest.mark.parametrize(
    "stages", [("rotation", "translation"), ("translation", "rotation"), ("rotation", "scale", "translation")], ids=str
)
def test_exact_points_close_together_give_the_map(stages, size):
    family, theta = composed(*stages)
    points, everywhere = cluster(family, size), random_points(family, batch=1, n=30, seed=1)
    found = family.fit(points, family(theta, points))
    torch.testing.assert_close(family(found, everywhere), family(theta, everywhere), rtol=0, atol=1e-8)


@pytest.mark.parametrize("size", [1e-2, 1e-4])
@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_noisy_points_close_together_give_the_nearest_map(noise, size):
    family, theta = composed("rotation", "translation")
    closed = stnkit.build("transform", "euclidean")
    points = cluster(family, size)
    source = family(theta, points) + noise * size * random_points(family, batch=1, n=50, seed=2)
    found, expected = family(family.fit(points, source), points), closed(closed.fit(points, source), points)
    torch.testing.assert_close(found - points, expected - points, rtol=0, atol=1e-9 * size)


@pytest.mark.slow
def test_a_cluster_does_not_change_its_neighbor_in_a_batch():
    family, theta = composed("rotation", "translation")
    points = torch.cat([cluster(family, 1e-3), random_points(family, batch=1, n=50)])
    source = family(theta.expand(2, -1), points) + 1e-5 * random_points(family, batch=2, n=50, seed=3)
    together = family.fit(points, source)
    alone = torch.cat([family.fit(points[k : k + 1], source[k : k + 1]) for k in range(2)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)


def test_columns_that_are_nearly_parallel_share_a_residual():
    jacobian = torch.tensor([[[1.0, 1.0], [0.0, 1e-5], [0.0, 0.0]]], dtype=torch.float64)
    points = tuple(torch.ones(1, 3, *last, dtype=torch.float64) for last in ((1,), (1,), ()))
    for residual, expected in (([0, 1, 0], 1.0), ([0, 0, 1], 0.0), ([0, 3, 4], 0.6), ([0, 0, 0], 0.0)):
        missing = jacobian.new_tensor([residual])
        assert float(reducible_share(jacobian, missing, points)) == pytest.approx(expected, abs=1e-9)


def test_the_shortest_solution_of_any_rank_is_that_of_pinv():
    matrix = random_points(stnkit.build("transform", "translation"), batch=3, n=6)
    matrix = torch.cat([matrix, matrix.sum(dim=2, keepdim=True)], dim=2)
    matrix = matrix / matrix.norm(dim=1, keepdim=True)
    values = matrix.new_tensor([1.0, -2.0, 0.5, 3.0, 0.0, 1.0]).expand(3, -1)
    found, length = shortest_solution(matrix, values)
    expected = (torch.linalg.pinv(matrix) @ values[..., None])[..., 0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(length, (matrix @ expected[..., None])[..., 0].norm(dim=1), rtol=0, atol=1e-12)
    infinite = torch.where(torch.arange(3)[:, None, None] == 1, torch.inf, matrix)
    found, length = shortest_solution(infinite, values)
    assert found.isnan().all(dim=1).tolist() == length.isnan().tolist() == [False, True, False]
