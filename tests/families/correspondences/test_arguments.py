"""Refusals of `fit`, and the shapes and dtypes that it takes."""

import pytest
import torch

import stnkit
from stnkit.errors import InputError
from tests.helpers import random_points, random_theta

pytestmark = pytest.mark.no_jaxtyping

AFFINE = stnkit.build("transform", "affine")
POINTS = random_points(AFFINE, batch=2, n=5)
ONES = torch.ones(2, 5)


def broken(points, value, row=1):
    points = points.clone()
    points[row, 2, 0] = value
    return points


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((POINTS[0], POINTS), r"target_points: expected shape \(B, N, 2\), got \(5, 2\)"),
        ((POINTS, POINTS[..., :1]), r"source_points: expected shape \(B, N, 2\), got \(2, 5, 1\)"),
        ((POINTS, POINTS.tolist()), "source_points: expected a tensor, got list"),
        ((POINTS.long(), POINTS), "target_points: expected floating-point numbers, got torch.int64"),
        ((POINTS, POINTS, ONES[..., None]), r"weights: expected shape \(B, N\), got \(2, 5, 1\)"),
        ((POINTS, POINTS[:, :4]), r"expected one number of points, got 5 \(target_points\), 4 \(source_points\)"),
        ((POINTS, POINTS, ONES[:, :3]), r"expected one number of points, got .*3 \(weights\)"),
        ((POINTS, POINTS.repeat(2, 1, 1)), r"expected one batch size, or 1, for all, got 2 \(target_points\), 4 \("),
        ((POINTS, POINTS, -ONES), "weights: expected finite numbers of at least 0, got -1.0"),
        ((POINTS, POINTS, ONES * torch.nan), "weights: expected finite numbers of at least 0, got nan"),
        (
            (POINTS, POINTS, torch.tensor([[1.0], [0.0]]) * ONES),
            "expected at least one point of .*, got none at index 1",
        ),
        ((POINTS, broken(POINTS, torch.nan)), "expected finite points, got others at index 1 of the batch"),
        ((broken(POINTS, torch.inf, row=0), POINTS), "expected finite points, got others at index 0 of the batch"),
        (
            (POINTS, POINTS + torch.tensor([[[0.0]], [[1e5]]])),
            r"source_points: expected normalized points, -1 to 1 in the image, got 1e\+05 and beyond at index 1",
        ),
        ((POINTS[:, :0], POINTS[:, :0]), "expected at least one point of positive weight, got none at index 0"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(InputError, match=f"^Affine.fit: {sentence}") as refused:
        AFFINE.fit(*arguments)
    assert "\n" not in str(refused.value)


def test_a_point_of_weight_zero_may_be_nan():
    theta = random_theta(AFFINE, batch=2)
    source, weights = AFFINE(theta, POINTS), ONES.clone()
    weights[1, 2] = 0
    found = AFFINE.fit(POINTS, broken(source, torch.nan), weights)
    torch.testing.assert_close(found, theta, rtol=0, atol=1e-12)


def test_one_set_of_points_serves_all_elements():
    theta = random_theta(AFFINE, batch=3)
    found = AFFINE.fit(POINTS[:1], AFFINE(theta, POINTS[:1]), ONES[:1])
    torch.testing.assert_close(found, theta, rtol=0, atol=1e-12)


def test_an_empty_batch_has_an_empty_theta():
    assert AFFINE.fit(POINTS[:0].float(), POINTS[:0].float()).shape == (0, 6)


@pytest.mark.parametrize(
    ("dtypes", "expected"),
    [
        ((torch.float16, torch.bfloat16), torch.float32),
        ((torch.float32, torch.float32), torch.float32),
        ((torch.float32, torch.float64), torch.float64),
    ],
)
def test_the_result_has_the_wider_dtype_of_the_points(dtypes, expected):
    target, source = (POINTS.to(dtype) for dtype in dtypes)
    found = AFFINE.fit(target, source, ONES.double())
    assert found.dtype == expected
    torch.testing.assert_close(found.double(), AFFINE.identity().expand(2, -1), rtol=0, atol=0.02)


def test_a_fit_under_autocast_or_inference_is_the_same():
    rotation = stnkit.build("transform", "rotation")
    theta = random_theta(rotation, batch=2)
    source = rotation(theta, POINTS)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(rotation.fit(POINTS, source), theta, rtol=0, atol=1e-12)
    with torch.inference_mode():
        torch.testing.assert_close(rotation.fit(POINTS, source), theta, rtol=0, atol=1e-12)
