"""With SciPy 1.17.1, in two and three dimensions."""

import numpy as np
import pytest
import torch
from scipy import ndimage

import stnkit
from stnkit import interop
from tests.interop.pictures import (
    IMAGE,
    IN,
    OUT,
    OUT_VOLUME,
    VOLUME,
    VOXELS,
    affine,
    error,
    mean_error,
    projective,
    tps,
    warped,
)

SIZES = {2: (IMAGE, IN, OUT), 3: (VOXELS, VOLUME, OUT_VOLUME)}


def mode(padding):
    return {"order": 1, "mode": interop.scipy.MODES[padding], "cval": 0.3 if padding == "fill" else 0}


@pytest.mark.parametrize("padding", interop.scipy.MODES)
@pytest.mark.parametrize("ndim", [2, 3])
def test_affine_transform_shows_the_picture_of_stnkit(ndim, padding):
    family, theta = affine(ndim)
    image, in_size, out_size = SIZES[ndim]
    matrix, offset = interop.scipy.affine_transform(family, theta, in_size, out_size)
    shown = ndimage.affine_transform(image, matrix[0], offset[0], output_shape=out_size, **mode(padding))
    assert error(shown, warped(family, theta, image, out_size, padding)) < 2e-14


@pytest.mark.parametrize("padding", interop.scipy.MODES)
@pytest.mark.parametrize("drawn", [projective, tps])
def test_map_coordinates_shows_the_picture_of_stnkit(drawn, padding):
    family, theta = drawn()
    shown = ndimage.map_coordinates(IMAGE, interop.scipy.map_coordinates(family, theta, IN, OUT)[0], **mode(padding))
    assert error(shown, warped(family, theta, IMAGE, OUT, padding)) < 2e-14


def test_map_coordinates_of_a_volume():
    family, theta = affine(3)
    points = interop.scipy.map_coordinates(family, theta, VOLUME, OUT_VOLUME)[0]
    shown = ndimage.map_coordinates(VOXELS, points, **mode("zeros"))
    assert error(shown, warped(family, theta, VOXELS, OUT_VOLUME)) < 2e-14


def test_the_constant_mode_of_scipy_is_not_zeros():
    family, theta = affine()
    points = interop.scipy.map_coordinates(family, theta, IN, OUT)[0]
    shown = ndimage.map_coordinates(IMAGE, points, order=1, mode="constant")
    assert error(shown, warped(family, theta, IMAGE, OUT)) > 0.3


@pytest.mark.parametrize("guess", ["x first", "about the corner", "normalized"])
def test_a_naive_matrix_shows_another_volume(guess):
    family, theta = affine(3)
    matrix, offset = (part[0] for part in interop.scipy.affine_transform(family, theta, VOLUME, OUT_VOLUME))
    if guess == "x first":
        matrix, offset = matrix[::-1, ::-1], offset[::-1]
    elif guess == "about the corner":
        offset = 0 * offset
    else:
        matrix = family.matrix(theta)[0, :3, :3].numpy()
    shown = ndimage.affine_transform(VOXELS, matrix, offset, output_shape=OUT_VOLUME, **mode("border"))
    assert mean_error(shown, warped(family, theta, VOXELS, OUT_VOLUME, "border")) > 0.1


@pytest.mark.parametrize("ndim", [2, 3])
def test_theta_of_matrix_and_offset_is_the_theta_that_made_them(ndim):
    family, theta = affine(ndim)
    _, in_size, out_size = SIZES[ndim]
    parts = interop.scipy.affine_transform(family, theta, in_size, out_size)
    torch.testing.assert_close(interop.scipy.theta_of_affine(family, *parts, in_size, out_size), theta)
    parts = (part[0] for part in parts)
    torch.testing.assert_close(interop.scipy.theta_of_affine(family, *parts, in_size, out_size), theta)


@pytest.mark.no_jaxtyping
def test_a_projective_map_is_no_affine_transform():
    with pytest.raises(stnkit.errors.InputError, match=r"use scipy\.map_coordinates$"):
        interop.scipy.affine_transform(*projective(), IN, OUT)


@pytest.mark.no_jaxtyping
def test_matrix_and_offset_of_other_shapes_are_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"^matrix and offset: expected"):
        interop.scipy.theta_of_affine(affine()[0], np.eye(3), np.zeros(2), IN, OUT)


@pytest.mark.parametrize("drawn", [projective, tps, lambda: affine(3)])
def test_theta_of_coordinates_is_the_theta_that_made_them(drawn):
    family, theta = drawn()
    _, in_size, out_size = SIZES[family.ndim]
    points = interop.scipy.map_coordinates(family, theta, in_size, out_size)
    for given in (points, points[0]):
        back = interop.scipy.theta_of_coordinates(family, given, in_size)
        torch.testing.assert_close(back, theta, rtol=0, atol=1e-9)


@pytest.mark.no_jaxtyping
def test_coordinates_of_another_shape_are_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"^points: expected shape \(2, \*out_size\) or"):
        interop.scipy.theta_of_coordinates(affine()[0], np.zeros((3, 4, 5)), IN)


@pytest.mark.parametrize("guess", ["x first", "aligned corners"])
def test_naive_coordinates_show_another_picture(guess):
    family, theta = tps()
    points = interop.scipy.map_coordinates(family, theta, IN, OUT)[0][::-1]
    if guess == "aligned corners":
        grid = (family.grid(theta, OUT)[0].numpy() + 1) / 2 * (np.array(IN[::-1]) - 1)
        points = np.moveaxis(grid[..., ::-1], -1, 0)
    shown = ndimage.map_coordinates(IMAGE, points, **mode("border"))
    assert mean_error(shown, warped(family, theta, IMAGE, OUT, "border")) > 0.03
