import numpy as np
import pytest
import torch

import stnkit
from stnkit.interop import boxes
from tests.interop.pictures import IMAGE, IN, error, projective, tps, warped

BOXES = torch.tensor([[3, 5, 13, 11], [0, 0, 37, 23]])


@pytest.mark.parametrize("given", [BOXES, BOXES.numpy(), BOXES.double()])
def test_the_output_is_the_crop_of_its_box(given):
    family = stnkit.build("transform", "affine")
    theta = boxes.theta_of_boxes(family, given, IN)
    assert error(warped(family, theta[:1], IMAGE, (6, 10)), IMAGE[5:11, 3:13]) < 1e-12
    assert error(warped(family, theta[1:], IMAGE, IN), IMAGE) < 1e-12


def test_a_box_of_the_last_pixel_is_half_a_pixel_off():
    family = stnkit.build("transform", "affine")
    theta = boxes.theta_of_boxes(family, torch.tensor([[3, 5, 12, 10]]), IN)
    assert error(warped(family, theta, IMAGE, (6, 10)), IMAGE[5:11, 3:13]) > 0.1


def test_a_spline_shows_the_crop_of_its_box():
    family = stnkit.build("transform", "tps")
    theta = boxes.theta_of_boxes(family, BOXES, IN)
    assert error(warped(family, theta[:1], IMAGE, (6, 10)), IMAGE[5:11, 3:13]) < 1e-6


def test_the_box_of_theta_is_the_box_that_made_it():
    family = stnkit.build("transform", "affine")
    np.testing.assert_allclose(boxes.boxes_of_theta(family, boxes.theta_of_boxes(family, BOXES, IN), IN), BOXES)


@pytest.mark.parametrize("drawn", [projective, tps])
def test_the_box_of_a_theta_holds_the_corners(drawn):
    family, theta = drawn()
    corners = family(theta, stnkit.coordinates.corners(2)[None])
    pixels = stnkit.coordinates.to_pixels(corners, IN)[0].numpy() + 0.5
    (box,) = boxes.boxes_of_theta(family, theta, IN)
    np.testing.assert_allclose(box, [*pixels.min(axis=0), *pixels.max(axis=0)])


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("affine", torch.tensor([[3.0, 5, 3, 9]]), r"boxes: expected x0 < x1 and y0 < y1, got \[3.0, 5.0, 3.0, 9.0\]"),
        (
            "affine",
            torch.tensor([[3.0, 5, float("nan"), 9]]),
            r"boxes: expected finite numbers, got \[3.0, 5.0, nan, 9.0\]",
        ),
        (
            "affine",
            torch.tensor([[0, 0, 1, 1], [1.0, 2, float("inf"), 7]]),
            r"boxes: expected finite numbers, got \[1.0, 2.0, inf, 7.0\] in row 1$",
        ),
        ("tps", torch.tensor([[float("-inf"), 2, 5, 7]]), r"boxes: expected finite numbers, got \[-inf, .* in row 0$"),
        ("affine", torch.zeros(4), r"boxes: expected shape \(B, 4\), got \(4,\)"),
        ("affine", [[0, 0, 1, 1]], "boxes: expected a tensor or an array of NumPy, got list"),
        ("translation", BOXES, "Translation.from_matrix: expected"),
    ],
)
def test_boxes_without_a_theta_are_refused(name, given, message):
    with pytest.raises(stnkit.errors.InputError, match=f"^{message}"):
        boxes.theta_of_boxes(stnkit.build("transform", name), given, IN)
