"""With scikit-image 0.26.0."""

import numpy as np
import pytest
import skimage
import torch
from skimage.transform import AffineTransform, PolynomialTransform, ProjectiveTransform, ThinPlateSplineTransform, warp

import stnkit
from stnkit.interop import scikit_image
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


def shown(transform, padding="zeros", **options):
    mode = {"mode": scikit_image.MODES[padding], "cval": 0.3 if padding == "fill" else 0}
    return warp(IMAGE, transform, **{"output_shape": OUT, "order": 1, "clip": False, **mode, **options})


@pytest.mark.parametrize("padding", scikit_image.MODES)
def test_an_affine_transform_shows_the_picture_of_stnkit(padding):
    family, theta = affine()
    transform = AffineTransform(matrix=scikit_image.affine_transform(family, theta, IN, OUT)[0])
    assert error(shown(transform, padding), warped(family, theta, IMAGE, OUT, padding)) < 2e-14


@pytest.mark.parametrize("padding", scikit_image.MODES)
def test_a_projective_transform_shows_the_picture_of_stnkit(padding):
    family, theta = projective()
    transform = ProjectiveTransform(matrix=scikit_image.projective_transform(family, theta, IN, OUT)[0])
    assert error(shown(transform, padding), warped(family, theta, IMAGE, OUT, padding)) < 2e-14


@pytest.mark.parametrize("padding", scikit_image.MODES)
def test_a_coordinate_map_shows_the_picture_of_stnkit(padding):
    family, theta = tps()
    points = scikit_image.coordinate_map(family, theta, IN, OUT)[0]
    assert error(shown(points, padding), warped(family, theta, IMAGE, OUT, padding)) < 2e-14


def test_a_coordinate_map_of_a_volume():
    family, theta = affine(3)
    points = scikit_image.coordinate_map(family, theta, VOLUME, OUT_VOLUME)[0]
    volume = warp(VOXELS, points, order=1, mode="constant", clip=False)
    assert error(volume, warped(family, theta, VOXELS, OUT_VOLUME)) < 2e-14


def spline(family, theta):
    return ThinPlateSplineTransform.from_estimate(family.control_points.numpy(), theta.view(2, -1).T.numpy())


def test_a_thin_plate_spline_shows_the_picture_of_stnkit():
    family, theta = tps()
    transform = scikit_image.in_pixels(spline(family, theta), IN, OUT)
    assert error(shown(transform), warped(family, theta, IMAGE, OUT)) < 1e-5


def test_a_thin_plate_spline_of_pixels_is_another_one():
    family, theta = tps()
    size = (12, 48)
    pixels = [stnkit.coordinates.to_pixels(p, size).numpy() for p in (family.control_points, theta.view(2, -1).T)]
    lattice = stnkit.coordinates.lattice(size, dtype=torch.float64).view(-1, 2)
    points = stnkit.coordinates.to_pixels(lattice, size).numpy()
    ours = scikit_image.in_pixels(spline(family, theta), size, size)(points)
    assert error(ours, stnkit.interop.pixel_map(family, theta, size, size).reshape(-1, 2)) < 1e-5
    assert error(ThinPlateSplineTransform.from_estimate(*pixels)(points), ours) > 0.5


def test_the_default_clips_a_border_of_zeros():
    image = 0.5 + 0.3 * IMAGE
    family = stnkit.build("transform", "translation")
    theta = torch.tensor([[-1 / IN[1], 0]], dtype=torch.float64)  # half a pixel
    matrix = scikit_image.affine_transform(family, theta, IN, IN)[0]
    assert error(warp(image, matrix, order=1), warped(family, theta, image, IN)) > 0.1
    assert error(warp(image, matrix, order=1, clip=False), warped(family, theta, image, IN)) < 2e-14


def test_the_reflection_of_scikit_image_is_about_centers():
    family, theta = affine()
    points = scikit_image.coordinate_map(family, theta, IN, OUT)[0]
    assert error(shown(points, mode="reflect"), warped(family, theta, IMAGE, OUT, "reflection")) > 0.3


@pytest.mark.parametrize("guess", ["inverse", "x first", "aligned corners"])
def test_a_naive_map_shows_another_picture(guess):
    family, theta = affine()
    transform = AffineTransform(matrix=scikit_image.affine_transform(family, theta, IN, OUT)[0])
    if guess == "inverse":
        transform = transform.inverse
    elif guess == "x first":
        transform = scikit_image.coordinate_map(family, theta, IN, OUT)[0][::-1]
    else:
        grid = (family.grid(theta, OUT)[0].numpy() + 1) / 2 * (np.array(IN[::-1]) - 1)
        transform = np.moveaxis(grid[..., ::-1], -1, 0)
    assert mean_error(shown(transform, "border"), warped(family, theta, IMAGE, OUT, "border")) > 0.05


@pytest.mark.parametrize("kind", [AffineTransform, ProjectiveTransform])
def test_theta_of_a_transform_is_the_theta_that_made_it(kind):
    family, theta = affine() if kind is AffineTransform else projective()
    matrix = scikit_image.projective_transform(family, theta, IN, OUT)[0]
    back = scikit_image.theta_of_transform(family, kind(matrix=matrix), IN, OUT)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-12)


def test_theta_of_an_affine_transform_of_a_volume():
    family, theta = affine(3)
    matrix = scikit_image.affine_transform(family, theta, VOLUME, OUT_VOLUME)[0]
    back = scikit_image.theta_of_transform(family, AffineTransform(matrix=matrix), VOLUME, OUT_VOLUME)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-12)


@pytest.mark.no_jaxtyping
def test_maps_that_scikit_image_does_not_take_are_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"use scikit_image\.projective_transform$"):
        scikit_image.affine_transform(*projective(), IN, OUT)
    with pytest.raises(stnkit.errors.InputError, match=r"^family: expected one of matrices, got ThinPlateSpline"):
        scikit_image.projective_transform(*tps(), IN, OUT)


def test_the_version_is_the_one_that_the_module_describes():
    assert skimage.__version__.startswith("0.26.")


def test_theta_of_a_spline_that_is_fitted_shows_its_picture():
    source = np.array([[5, 3], [30, 5], [8, 20], [28, 18], [18, 9.0]])
    target = np.array([[0, 0], [28, 0], [0, 30], [28, 30], [14, 15.0]])
    transform = ThinPlateSplineTransform.from_estimate(target, source)
    family = stnkit.build("transform", "bspline", control_points=[12, 12])
    theta = scikit_image.theta_of_transform(family, transform, IN, OUT)
    assert error(shown(transform), warped(family, theta, IMAGE, OUT)) < 0.05


@pytest.mark.parametrize(
    ("name", "params"),
    [("affine", [[2, 1, 0.1], [1, 0, 0.9]]), ("bspline", [[2, 1, 0, 0.005, 0, 0.002], [1, 0, 1, 0, 0.005, 0]])],
)
def test_theta_of_a_polynomial_shows_its_picture(name, params):
    transform = PolynomialTransform(np.array(params, dtype=float))
    family = stnkit.build("transform", name, **({"control_points": [9, 9]} if name == "bspline" else {}))
    theta = scikit_image.theta_of_transform(family, transform, IN, OUT)
    assert error(shown(transform), warped(family, theta, IMAGE, OUT)) < 1e-5


@pytest.mark.no_jaxtyping
def test_a_transform_that_is_none_is_refused():
    with pytest.raises(
        stnkit.errors.InputError, match=r"^transform: expected a transform, a matrix or a callable, got"
    ):
        scikit_image.theta_of_transform(affine()[0], "rotate", IN, OUT)


def test_the_inverse_of_a_homography_shows_another_picture():
    family, theta = projective()
    transform = ProjectiveTransform(matrix=scikit_image.projective_transform(family, theta, IN, OUT)[0])
    assert mean_error(shown(transform.inverse), warped(family, theta, IMAGE, OUT)) > 0.1
