"""With Pillow 13.0.0."""

import numpy as np
import pytest
import torch
from PIL import Image

import stnkit
from stnkit.interop import pillow, pixel_map
from tests.interop.pictures import IMAGE, IN, OUT, affine, error, inside, mean_error, projective, tps, warped

SINGLE = IMAGE.astype(np.float32)
CONVERSIONS = {
    "AFFINE": (affine, pillow.affine),
    "PERSPECTIVE": (projective, pillow.perspective),
}


def shown(picture, data, method):
    transform = getattr(Image.Transform, method)
    return np.asarray(picture.transform(OUT[::-1], transform, data, Image.Resampling.BILINEAR))


@pytest.mark.parametrize("method", CONVERSIONS)
def test_pillow_shows_the_picture_of_stnkit_inside(method):
    drawn, conversion = CONVERSIONS[method]
    family, theta = drawn()
    picture = shown(Image.fromarray(SINGLE), conversion(family, theta, IN, OUT)[0], method)
    centers = inside(pixel_map(family, theta, IN, OUT)[0], IN)
    assert 0.7 < centers.mean() < 0.95
    assert error(picture[centers], warped(family, theta, SINGLE, OUT)[centers]) < 1e-6


def test_pillow_repeats_the_outermost_half_pixel():
    family, theta = affine()
    picture = shown(Image.fromarray(SINGLE), pillow.affine(family, theta, IN, OUT)[0], "AFFINE")
    pixels = pixel_map(family, theta, IN, OUT)[0]
    centers = inside(pixels, IN)
    half = inside(pixels + 0.5, np.array(IN) + 1) & ~centers  # from the centers to the edge
    assert error(picture[half], warped(family, theta, SINGLE, OUT, "border")[half]) < 1e-6
    assert error(picture[half], warped(family, theta, SINGLE, OUT, "zeros")[half]) > 0.2
    assert (picture[~half & ~centers] == 0).all()


def test_whole_numbers_are_cut_off():
    family, theta = affine()
    bytes_of_image = np.round(255 * IMAGE).astype(np.uint8)
    picture = shown(Image.fromarray(bytes_of_image), pillow.affine(family, theta, IN, OUT)[0], "AFFINE")
    exact = warped(family, theta, bytes_of_image, OUT)
    centers = inside(pixel_map(family, theta, IN, OUT)[0], IN)
    below = exact[centers] - picture[centers]
    assert below.min() > -1e-3
    assert 0.9 < below.max() < 1.001


@pytest.mark.parametrize("guess", ["centers", "forward", "aligned corners"])
def test_naive_numbers_show_another_picture(guess):
    family, theta = affine()
    matrix = stnkit.interop.pixel_matrix(family, theta, IN, OUT)[0]
    if guess == "forward":
        matrix = np.linalg.inv(matrix)
    elif guess == "aligned corners":
        rows = stnkit.interop.align_corners.theta_of_affine_grid(family, family.matrix(theta), IN, OUT)
        matrix = stnkit.interop.pixel_matrix(family, rows, IN, OUT)[0]
    picture = shown(Image.fromarray(SINGLE), matrix[:2].ravel(), "AFFINE")
    assert mean_error(picture, warped(family, theta, SINGLE, OUT)) > 0.03


@pytest.mark.parametrize("method", CONVERSIONS)
def test_theta_of_the_numbers_is_the_theta_that_made_them(method):
    drawn, conversion = CONVERSIONS[method]
    family, theta = drawn()
    numbers = conversion(family, theta, IN, OUT)
    for given in (numbers, numbers[0], tuple(numbers[0].tolist()), torch.tensor(numbers)):
        back = pillow.theta_of_coefficients(family, given, IN, OUT)
        torch.testing.assert_close(back, theta, rtol=0, atol=1e-12)


@pytest.mark.no_jaxtyping
def test_maps_that_pillow_does_not_take_are_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"use pillow\.perspective$"):
        pillow.affine(*projective(), IN, OUT)
    with pytest.raises(stnkit.errors.InputError, match=r"^family: expected one of matrices, got ThinPlateSpline"):
        pillow.perspective(*tps(), IN, OUT)
    with pytest.raises(stnkit.errors.InputError, match=r"^family: expected 2 dimensions for Pillow, got 3$"):
        pillow.affine(*affine(3), IN, OUT)
    family, _ = projective()
    on_horizon = torch.tensor([[1.0, 0, 0, 0, 1, 0, 0.5, 0.5]])
    with pytest.raises(stnkit.errors.InputError, match=r"^theta: expected the upper left corner in front of the hor"):
        pillow.perspective(family, on_horizon, IN, IN)
    with pytest.raises(stnkit.errors.InputError, match=r"^data: expected 6 or 8 numbers, .* got shape \(7,\)$"):
        pillow.theta_of_coefficients(family, [1.0] * 7, IN, OUT)
    with pytest.raises(stnkit.errors.InputError, match=r"^data: expected 6 or 8 numbers, .* got \[\[1, 2\], \[3\]\]$"):
        pillow.theta_of_coefficients(family, [[1, 2], [3]], IN, OUT)
    with pytest.raises(stnkit.errors.InputError, match=r"^data: expected real numbers, got <U1$"):
        pillow.theta_of_coefficients(family, ["1"] * 6, IN, OUT)


@pytest.mark.parametrize("guess", ["centers", "forward"])
def test_naive_numbers_of_a_homography_show_another_picture(guess):
    family, theta = projective()
    matrix = stnkit.interop.pixel_matrix(family, theta, IN, OUT)[0]
    if guess == "forward":
        matrix = np.linalg.inv(np.append(pillow.perspective(family, theta, IN, OUT)[0], 1).reshape(3, 3))
    picture = shown(Image.fromarray(SINGLE), (matrix / matrix[2, 2]).ravel()[:8], "PERSPECTIVE")
    assert mean_error(picture, warped(family, theta, SINGLE, OUT)) > 0.03
