"""Homographies from points: the sign of w, the horizon, and points that determine none."""

import pytest
import torch

import stnkit
from stnkit.coordinates import OUTSIDE, corners
from stnkit.errors import InputError
from tests.helpers import random_points

NAMES = pytest.mark.parametrize("name", ["projective", "homography4"])
PROJECTIVE = stnkit.build("transform", "projective")
SQUARE = corners(2)[None]


@NAMES
def test_four_points_determine_a_homography(name):
    family = stnkit.build("transform", name)
    source = SQUARE + 0.3 * random_points(family, batch=1, n=4)
    torch.testing.assert_close(family(family.fit(SQUARE, source), SQUARE), source, rtol=0, atol=1e-12)


def test_points_beyond_the_horizon_are_left_out():
    theta = torch.tensor([[1.0, 0.1, 0.2, 0.0, 0.9, 0.1, 1.4, 0.3]], dtype=torch.float64)
    points = random_points(PROJECTIVE, batch=1, n=30)
    source = PROJECTIVE(theta, points)
    assert 2 < (source == OUTSIDE).any(dim=2).sum() < 15
    found = PROJECTIVE.fit(points, source)
    torch.testing.assert_close(found, theta, rtol=0, atol=1e-10)
    torch.testing.assert_close(PROJECTIVE(found, points), source, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("share", [1.0, 1 - 1e-15, 1 - 1e-6])
def test_a_mark_that_was_rounded_in_pixels_is_left_out(share):
    points = random_points(PROJECTIVE, batch=1, n=30)
    source = 0.5 * points
    source[:, :3] = share * OUTSIDE
    found = PROJECTIVE.fit(points, source)
    torch.testing.assert_close(PROJECTIVE(found, points)[:, 3:], source[:, 3:], rtol=0, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_mark_is_left_out_in_every_dtype(dtype):
    theta = torch.tensor([[1.0, 0.1, 0.2, 0.0, 0.9, 0.1, 1.4, 0.3]], dtype=torch.float64)
    points = random_points(PROJECTIVE, batch=1, n=30)
    source = PROJECTIVE(theta, points)
    behind = (source == OUTSIDE).any(dim=2)
    assert behind.any()
    found = PROJECTIVE.fit(points, source.to(dtype), (source.abs().amax(dim=2) < 3) + behind.double())
    torch.testing.assert_close(found, theta, rtol=0, atol=2 * torch.finfo(dtype).eps)


@NAMES
def test_a_mirrored_square_is_fitted_in_front_of_the_horizon(name):
    family = stnkit.build("transform", name)
    source = torch.tensor([[[1.2, -1.0], [-0.9, -1.1], [0.8, 0.9], [-1.0, 1.0]]], dtype=torch.float64)
    torch.testing.assert_close(family(family.fit(SQUARE, source), SQUARE), source, rtol=0, atol=1e-12)


@pytest.mark.no_jaxtyping
def test_a_center_behind_the_horizon_is_refused():
    points = 1.5 + 0.5 * random_points(PROJECTIVE, batch=1, n=6)  # x and y from 1 to 2, where x + y − 1 is above 0
    source = points / (points.sum(dim=2, keepdim=True) - 1)
    with pytest.raises(InputError, match="expected points with the center of the output and all of them in front of"):
        PROJECTIVE.fit(points, source)


def test_the_fit_of_points_without_any_homography_is_stationary():
    points, source = random_points(PROJECTIVE, batch=3, n=20), random_points(PROJECTIVE, batch=3, n=20, seed=9)
    theta = PROJECTIVE.fit(points, source).requires_grad_()
    (slope,) = torch.autograd.grad((PROJECTIVE(theta, points) - source).square().sum(), theta)
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-7)


@NAMES
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("points", "found"),
    [([[-1, -1], [1, -1], [0, 1]], 6), ([[-1, 0], [0, 0], [1, 0], [0, 1]], 7), ([[0, 0], [0, 0], [1, 0], [0, 1]], 6)],
    ids=["three", "three on a line", "two equal"],
)
def test_points_that_determine_no_homography_are_refused(name, points, found):
    points = torch.tensor([points], dtype=torch.float64)
    with pytest.raises(InputError, match=f"expected points that determine the map, .* {found} of its 8 degrees of"):
        stnkit.build("transform", name).fit(points, points)
