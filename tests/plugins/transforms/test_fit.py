"""`fit` of every family finds θ from the images of points, and the nearest map to other points."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit
from stnkit.errors import InputError
from stnkit.plugin_system.registry import plugin_registry
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
    ("cpab", {"cells": [2, 2], "zero_boundary": False}, 30, 0.3),
    ("cpab", {"volume_preserving": True}, 30, 0.3),
    pytest.param("velocity", {"control_points": [4, 4]}, 30, 0.2, marks=pytest.mark.slow),
    pytest.param("velocity", {"ndim": 3, "control_points": [4, 4, 4], "steps": 2}, 600, 0.1, marks=pytest.mark.slow),
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
    # The corners of the image are not on the output.
    ("polar", {"inner": {"name": "displacement", "resolution": [8, 8]}}, 1500, 0.1),
]
named = pytest.mark.parametrize(("name", "options", "n", "spread"), OTHERS, ids=lambda value: str(value)[:70])


def exact(family, n, spread, batch=2):
    theta = random_theta(family, batch=batch, scale=spread) + family.identity()
    points = random_points(family, batch=batch, n=n)
    return theta, points, family(theta, points)


def test_every_family_is_fitted_here():
    others = [getattr(case, "values", case)[0] for case in OTHERS]
    built_in = [entry for entry in plugin_registry().registered if entry.source.distribution == "stnkit"]
    assert {*others, *(case.name for case in CASES)} == {entry.name for entry in built_in if entry.kind == "transform"}


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


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options", "n", "spread"), SAME_MAPS)
def test_of_several_theta_one_with_the_same_map_is_found(name, options, n, spread):
    family = stnkit.build("transform", name, **options)
    _, points, source = exact(family, n, spread)
    found = family.fit(points, source)
    torch.testing.assert_close(family(found, points), source, rtol=0, atol=1e-10)


NOISY = [
    ("rotation", {"aspect": 1.5}),
    ("euclidean", {"ndim": 3, "aspect": [3.0, 2.0, 1.5]}),
    ("similarity", {}),
    ("similarity", {"aspect": 0.6}),
    ("similarity", {"ndim": 3}),
    ("scale", {"isotropic": False}),
    ("attention", {}),
    ("shear", {}),
    ("affine", {"ndim": 3}),
    ("projective", {}),
    ("homography4", {}),
    ("tps", {"control_points": [2, 3]}),
    ("piecewise_affine", {"control_points": [2, 2]}),
    ("bspline", {"control_points": [4, 4]}),
    ("displacement", {"resolution": [2, 2]}),
    ("cpab", {"cells": [1, 2]}),
    ("bounded", {"limit": 2.0}),
    ("polar", {"inner": "similarity"}),
    ("compose", {"stages": ["rotation", "scale", "translation"]}),
    ("compose", {"stages": ["affine", {"name": "tps", "control_points": [2, 2]}]}),
]
noisy = pytest.mark.parametrize(("name", "options"), NOISY, ids=str)


def measured(family, size, n=16, seed=6):
    """Points, noisy source points and weights."""
    _, points, source = exact(family, n, 0.1)
    weights = random_points(family, batch=2, n=n, seed=3)[..., 0].abs() + 0.1
    return points, source + size * random_points(family, batch=2, n=n, seed=seed), weights


def slope_of(family, theta, target, source, weights):
    theta = theta.detach().requires_grad_()
    cost = (weights[..., None] * (family(theta, target) - source).square()).sum()
    return torch.autograd.grad(cost, theta)[0]


@noisy
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([0.01, 0.1]))
def test_the_squared_error_of_noisy_points_is_stationary(name, options, seed, size):
    family = stnkit.build("transform", name, **options)
    points, source, weights = measured(family, size, n=30, seed=seed)
    slope = slope_of(family, family.fit(points, source, weights), points, source, weights)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-8)


@pytest.mark.slow
@noisy
def test_gradients_to_both_sets_of_points_pass_gradcheck(name, options):
    family = stnkit.build("transform", name, **options)
    target, source, weights = (tensor[:1].requires_grad_() for tensor in measured(family, 0.03))
    probes = random_points(family, batch=1, n=5, seed=11)

    def map_of_fit(*points):  # of several θ with one map, differences may find any
        return family(family.fit(*points), probes)

    assert torch.autograd.gradcheck(map_of_fit, (target, source, weights), fast_mode=True, atol=1e-4)


@noisy
def test_a_weight_of_zero_is_a_point_less(name, options):
    family = stnkit.build("transform", name, **options)
    points, source, weights = measured(family, 0.03, n=30)
    weights[:, 24:] = 0
    ours = family.fit(points, source, weights)
    without = family.fit(*(tensor[:, :24] for tensor in (points, source, weights)))
    torch.testing.assert_close(family(ours, points), family(without, points), rtol=0, atol=1e-9)


@noisy
def test_an_element_is_fitted_as_it_is_alone(name, options):
    family = stnkit.build("transform", name, **options)
    points, source, weights = measured(family, 0.03)
    together = family.fit(points, source, weights)
    alone = torch.cat([family.fit(*(t[k : k + 1] for t in (points, source, weights))) for k in range(2)])
    torch.testing.assert_close(family(together, points), family(alone, points), rtol=0, atol=1e-9)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(("name", "options"), [*NOISY, ("velocity", {"control_points": [4, 4]})], ids=str)
def test_one_point_is_refused_where_it_determines_no_map(name, options):
    family = stnkit.build("transform", name, **options)
    point = torch.zeros(1, 1, family.ndim, dtype=torch.float64)
    with pytest.raises(InputError, match=rf"^{type(family).__name__}\.fit: .*expected points "):
        family.fit(point, point)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["affine", "translation", "similarity", "projective", "tps", "cpab"])
def test_points_far_outside_of_any_image_are_refused(name):
    family = stnkit.build("transform", name)
    points = random_points(family, batch=1, n=30)
    message = rf"^{type(family).__name__}\.fit: target_points: expected normalized points, .*, got \d"
    with pytest.raises(InputError, match=message):
        family.fit(1e200 * points, points)


@pytest.mark.no_jaxtyping
def test_a_map_beyond_the_limit_of_a_bounded_family_is_refused():
    family = stnkit.build("transform", "bounded", inner="translation", limit=0.5)
    points = random_points(family, batch=2, n=5)
    shift = torch.tensor([0.1, 1.0], dtype=torch.float64)[:, None, None]
    refusal = r"^Bounded\.fit: expected points with a nearest map within the limit, got others at index 1 of the batch$"
    with pytest.raises(InputError, match=refusal):
        family.fit(points, points + shift)
