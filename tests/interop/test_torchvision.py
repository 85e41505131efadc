"""With torchvision 0.28.0."""

import math
import re

import numpy as np
import pytest
import torch

import stnkit
from stnkit.interop import pixel_matrix, torchvision
from tests.interop.pictures import IMAGE, IN, OUT, affine, error, mean_error, projective, tps, warped

PICTURE = torch.tensor(IMAGE, dtype=torch.float32)[None]


@pytest.mark.parametrize("drawn", [affine, projective])
def test_perspective_shows_the_picture_of_stnkit(drawn, vision):
    family, theta = drawn()
    (numbers,) = torchvision.perspective(family, theta, IN)
    shown = vision.perspective(PICTURE, None, None, vision.InterpolationMode.BILINEAR, coefficients=numbers)
    assert error(shown[0], warped(family, theta, IMAGE, IN)) < 2e-5


def test_elastic_shows_the_picture_of_stnkit(vision):
    family, theta = tps()
    shown = vision.elastic(PICTURE, torchvision.elastic(family, theta, IN), vision.InterpolationMode.BILINEAR)
    assert error(shown[0], warped(family, theta, IMAGE, IN)) < 1e-5


@pytest.mark.parametrize("center", [None, (10.0, 4.5)])
def test_theta_of_affine_shows_the_picture_of_torchvision(center, vision):
    given = {"angle": 25.0, "translate": [3, -2], "scale": 0.8, "shear": [10.0, -15.0], "center": center}
    shown = vision.affine(PICTURE, **given, interpolation=vision.InterpolationMode.BILINEAR)
    family = stnkit.build("transform", "affine")
    theta = torchvision.theta_of_affine(family, **given, size=IN)
    assert error(shown[0], warped(family, theta, IMAGE, IN)) < 2e-5


def test_a_fill_weighs_the_outermost_half_pixel_twice(vision):
    family = stnkit.build("transform", "translation")
    field = torchvision.elastic(family, torch.tensor([[1 / IN[1], 0.0]]), IN)  # half a pixel
    shown = [
        vision.elastic(torch.ones(1, *IN), field, vision.InterpolationMode.BILINEAR, fill=fill)[0, :, -1].mean().item()
        for fill in (None, 0.0)
    ]
    assert shown == pytest.approx([0.5, 0.25], abs=1e-5)


@pytest.mark.parametrize("guess", ["centers", "forward"])
def test_naive_numbers_show_another_picture(guess, vision):
    family, theta = affine()
    matrix = pixel_matrix(family, theta, IN, IN)[0]
    if guess == "forward":
        matrix = np.linalg.inv(np.append(torchvision.perspective(family, theta, IN)[0], 1).reshape(3, 3))
    numbers = (matrix / matrix[2, 2]).ravel()[:8].tolist()
    shown = vision.perspective(PICTURE, None, None, vision.InterpolationMode.BILINEAR, coefficients=numbers)
    assert mean_error(shown[0], warped(family, theta, IMAGE, IN)) > 0.02


def test_a_field_in_pixels_shows_another_picture(vision):
    family, theta = tps()
    pixels = torchvision.elastic(family, theta, IN) * torch.tensor(IN[::-1]) / 2
    shown = vision.elastic(PICTURE, pixels, vision.InterpolationMode.BILINEAR)
    assert mean_error(shown[0], warped(family, theta, IMAGE, IN)) > 0.1


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scale": 0.0}, "scale: expected a finite number above 0, got 0.0"),
        ({"shear": [1.0]}, "shear: expected 2 finite numbers, got [1.0]"),
        ({"translate": [1, 2, 3]}, "translate: expected 2 finite numbers, got [1, 2, 3]"),
        ({"center": []}, "center: expected 2 finite numbers, got []"),
        ({"shear": 5}, "shear: expected 2 finite numbers, got 5"),
        ({"translate": None}, "translate: expected 2 finite numbers, got None"),
        ({"angle": float("nan")}, "angle: expected a finite number, got nan"),
        ({"scale": float("inf")}, "scale: expected a finite number above 0, got inf"),
        ({"translate": [1.0, float("inf")]}, "translate: expected 2 finite numbers, got [1.0, inf]"),
        ({"angle": "x"}, "angle: expected a finite number, got 'x'"),
    ],
)
def test_parameters_that_are_none_of_affine_are_refused(changed, message):
    given = {"angle": 25.0, "translate": [3, -2], "scale": 0.8, "shear": [10.0, -15.0], **changed}
    with pytest.raises(stnkit.errors.InputError, match=f"^{re.escape(message)}$"):
        torchvision.theta_of_affine(stnkit.build("transform", "affine"), **given, size=IN)


@pytest.mark.no_jaxtyping
def test_maps_that_torchvision_does_not_take_are_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"^family: expected one of matrices, got ThinPlateSpline"):
        torchvision.perspective(*tps(), OUT)
    with pytest.raises(stnkit.errors.InputError, match=r"^family: expected 2 dimensions for torchvision, got 3$"):
        torchvision.elastic(*affine(3), OUT)


@pytest.mark.no_jaxtyping
def test_theta_of_a_displacement_is_the_theta_that_made_it():
    family, theta = tps()
    back = torchvision.theta_of_field(family, torchvision.elastic(family, theta, IN))
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-9)
    with pytest.raises(stnkit.errors.InputError, match=r"^field: expected shape"):
        torchvision.theta_of_field(family, torch.zeros(4, 5, 2))


@pytest.mark.parametrize("guess", ["about the centers", "input → output"])
def test_a_naive_theta_of_affine_shows_another_picture(guess, vision):
    given = {"angle": 25.0, "translate": [3, -2], "scale": 0.8, "shear": [10.0, -15.0]}
    shown = vision.affine(PICTURE, **given, interpolation=vision.InterpolationMode.BILINEAR)
    family = stnkit.build("transform", "affine")
    theta = torchvision.theta_of_affine(family, **given, size=IN)
    if guess == "about the centers":
        theta = torchvision.theta_of_affine(family, **given, size=IN, center=[(IN[1] - 1) / 2, (IN[0] - 1) / 2])
    else:
        theta = family.from_matrix(torch.linalg.inv(family.matrix(theta)))
    assert mean_error(shown[0], warped(family, theta, IMAGE, IN)) > 0.02


@pytest.mark.no_jaxtyping
def test_theta_of_affine_is_right_in_float64():
    angle, scale = math.radians(25.0), 0.8
    family, points = stnkit.build("transform", "affine"), torch.tensor([[[0.3, -0.7]]], dtype=torch.float64)
    theta = torchvision.theta_of_affine(family, 25.0, (0, 0), scale, (0, 0), (6, 6))
    back = torch.tensor(
        [[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]], dtype=torch.float64
    )  # torchvision turns the image clockwise, and the points of the output back
    torch.testing.assert_close(family(theta, points), points @ back.mT / scale, rtol=0, atol=1e-14)


def test_theta_of_a_field_shows_the_picture_of_torchvision(vision):
    y, x = np.mgrid[: IN[0], : IN[1]] / 10.0
    field = torch.tensor(np.stack([0.1 * x - 0.05 * y, 0.2 - 0.1 * x], axis=-1))[None]
    family = stnkit.build("transform", "affine")
    shown = vision.elastic(PICTURE, field.float(), vision.InterpolationMode.BILINEAR)
    theta = torchvision.theta_of_field(family, field)
    assert error(shown[0], warped(family, theta, IMAGE, IN)) < 1e-5


def test_a_field_read_in_pixels_shows_another_picture(vision):
    y, x = np.mgrid[: IN[0], : IN[1]] / 10.0
    field = torch.tensor(np.stack([0.1 * x - 0.05 * y, 0.2 - 0.1 * x], axis=-1))[None]
    family = stnkit.build("transform", "affine")
    shown = vision.elastic(PICTURE, field.float(), vision.InterpolationMode.BILINEAR)
    naive = torchvision.theta_of_field(family, field / (torch.tensor(IN[::-1]) / 2))
    assert mean_error(shown[0], warped(family, naive, IMAGE, IN)) > 0.03
