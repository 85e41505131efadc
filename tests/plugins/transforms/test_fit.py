"""`fit` of every family finds θ from the images of points, and the nearest map to other points."""

import pytest
import torch

import stnkit
from tests.helpers import random_points, random_theta
from tests.plugins.transforms.matrix_cases import CASES

# Name, options, number of points (30 unless they cannot determine θ) and spread of θ.
OTHERS = [
    ("tps", {}, 30, 0.3),
    ("tps", {"control_points": [3, 3], "regularization": 0.1}, 30, 0.3),
    ("tps", {"kernel": "gaussian", "control_points": [3, 3]}, 30, 0.3),
    (
        "tps",
        {"kernel": "quintic", "control_points": [[-1, -1], [1, -1], [0.2, 1], [0, 0], [0.5, 0.3], [-0.7, 0.6]]},
        30,
        0.3,
    ),
    ("tps", {"pinned": "borders"}, 30, 0.3),
    ("tps", {"ndim": 3, "control_points": [2, 2, 2]}, 30, 0.3),
    ("piecewise_affine", {"control_points": [2, 3]}, 30, 0.3),
    ("piecewise_affine", {"control_points": [3, 3], "pinned": "borders"}, 30, 0.3),
    ("piecewise_affine", {"control_points": [[-1, -1], [1, -1], [-1, 1], [1, 1], [0.2, 0.1]]}, 30, 0.3),
    ("piecewise_affine", {"ndim": 3, "control_points": [2, 2, 2]}, 60, 0.3),
    ("bspline", {"control_points": [4, 5]}, 30, 0.3),
    ("bspline", {}, 600, 0.3),
    ("bspline", {"control_points": [8, 8], "pinned": "borders"}, 30, 0.3),
    ("bspline", {"ndim": 3, "control_points": [4, 4, 4]}, 600, 0.3),
    ("displacement", {"resolution": [3, 2]}, 30, 0.3),
    ("displacement", {}, 600, 0.3),
    ("displacement", {"ndim": 3, "resolution": [2, 2, 2]}, 60, 0.3),
    ("cpab", {}, 60, 0.3),
    ("cpab", {"cells": [2, 2]}, 30, 0.3),
    ("cpab", {"cells": [2, 2], "zero_boundary": False}, 60, 0.3),
    ("cpab", {"volume_preserving": True}, 30, 0.3),
    pytest.param("velocity", {"control_points": [4, 4]}, 30, 0.2, marks=pytest.mark.slow),
    ("bounded", {}, 30, 0.2),
    ("bounded", {"inner": "tps", "limit": 0.5}, 30, 0.1),
    ("bounded", {"inner": {"name": "euclidean", "ndim": 3}, "limit": [1.0, 1.0, 1.0, 0.5, 0.5, float("inf")]}, 30, 0.2),
    ("polar", {}, 30, 0.3),
    ("polar", {"log": True, "inner": "similarity"}, 30, 0.3),
    ("compose", {"stages": ["rotation", "scale", "translation"]}, 30, 0.3),
]
# Families some of whose θ are the same map: the map is found.
SAME_MAPS = [
    ("compose", {}, 30, 0.2),
    ("compose", {"stages": ["rotation", "tps"]}, 30, 0.2),
    ("compose", {"stages": ["polar", "affine"]}, 30, 0.1),
]
named = pytest.mark.parametrize(("name", "options", "n", "spread"), OTHERS, ids=lambda value: str(value)[:70])


def exact(family, n, spread, batch=2):
    theta = random_theta(family, batch=batch, scale=spread) + family.identity()
    points = random_points(family, batch=batch, n=n)
    return theta, points, family(theta, points)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fit_of_matrices_recovers_theta(case):
    family, theta = case.build(), case.theta(batch=2)
    points = random_points(family, batch=2, n=30)
    found = family.fit(points, family(theta, points))
    torch.testing.assert_close(found, theta, rtol=0, atol=1e-10)


@named
def test_fit_recovers_theta(name, options, n, spread):
    family = stnkit.build("transform", name, **options)
    theta, points, source = exact(family, n, spread)
    torch.testing.assert_close(family.fit(points, source), theta, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("name", "options", "n", "spread"), SAME_MAPS)
def test_of_several_theta_one_with_the_same_map_is_found(name, options, n, spread):
    family = stnkit.build("transform", name, **options)
    _, points, source = exact(family, n, spread)
    found = family.fit(points, source)
    torch.testing.assert_close(family(found, points), source, rtol=0, atol=1e-10)
