"""With kornia 0.9.0."""

import kornia
import kornia.geometry.transform as kt
import pytest
import torch

import stnkit
from stnkit import interop
from stnkit.interop.kornia import homography_warp, remap, theta_of_matrix, warp_affine, warp_perspective
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

PICTURE, VOXEL_PICTURE = torch.tensor(IMAGE)[None, None], torch.tensor(VOXELS)[None, None]
# Padding of stnkit: that of kornia with align_corners=True, and without.
ALIGNED = {"zeros": "zeros", "border": "border", "mirror": "reflection"}
BY_EDGES = {"zeros": "zeros", "border": "border", "reflection": "reflection"}


def test_the_version_is_the_one_that_the_module_describes():
    assert kornia.__version__.startswith("0.9.")


@pytest.mark.parametrize("padding", ALIGNED)
def test_warp_affine_shows_the_picture_of_stnkit(padding):
    family, theta = affine()
    shown = kt.warp_affine(PICTURE, warp_affine(family, theta, IN, OUT), OUT, padding_mode=ALIGNED[padding])
    assert error(shown[0, 0], warped(family, theta, IMAGE, OUT, padding)) < 1e-13


@pytest.mark.parametrize("padding", ALIGNED)
def test_warp_perspective_shows_the_picture_of_stnkit(padding):
    family, theta = projective()
    shown = kt.warp_perspective(PICTURE, warp_perspective(family, theta, IN, OUT), OUT, padding_mode=ALIGNED[padding])
    assert error(shown[0, 0], warped(family, theta, IMAGE, OUT, padding)) < 1e-13


@pytest.mark.parametrize("padding", BY_EDGES)
@pytest.mark.parametrize("drawn", [affine, projective])
def test_homography_warp_shows_the_picture_of_stnkit(drawn, padding):
    family, theta = drawn()
    shown = kt.homography_warp(PICTURE, homography_warp(family, theta), OUT, padding_mode=BY_EDGES[padding])
    assert error(shown[0, 0], warped(family, theta, IMAGE, OUT, padding)) < 1e-13


@pytest.mark.parametrize("padding", ALIGNED)
def test_remap_shows_the_picture_of_stnkit(padding):
    family, theta = tps()
    maps = remap(family, theta, IN, OUT)
    shown = kt.remap(PICTURE, *maps, align_corners=True, padding_mode=ALIGNED[padding])
    assert error(shown[0, 0], warped(family, theta, IMAGE, OUT, padding)) < 1e-13


@pytest.mark.parametrize("padding", ALIGNED)
def test_volumes_show_the_picture_of_stnkit(padding):
    family, theta = affine(3)
    expected = warped(family, theta, VOXELS, OUT_VOLUME, padding)
    rows = warp_affine(family, theta, VOLUME, OUT_VOLUME)
    shown = kt.warp_affine3d(VOXEL_PICTURE, rows, OUT_VOLUME, padding_mode=ALIGNED[padding])
    assert error(shown[0, 0], expected) < 1e-13
    options = {"border_mode": ALIGNED[padding], "align_corners": True}
    matrix = warp_perspective(family, theta, VOLUME, OUT_VOLUME)
    assert error(kt.warp_perspective3d(VOXEL_PICTURE, matrix, OUT_VOLUME, **options)[0, 0], expected) < 1e-13


def test_homography_warp3d_normalizes_otherwise():
    family, theta = affine(3)
    shown = kt.homography_warp3d(VOXEL_PICTURE, family.matrix(theta), OUT_VOLUME)
    assert mean_error(shown[0, 0], warped(family, theta, VOXELS, OUT_VOLUME)) > 0.03


@pytest.mark.parametrize("guess", ["output → input", "normalized", "edges"])
def test_a_naive_matrix_shows_another_picture(guess):
    family, theta = affine()
    if guess == "output → input":
        rows = torch.tensor(interop.pixel_matrix(family, theta, IN, OUT))[:, :2]
    elif guess == "normalized":
        rows = family.matrix(theta)[:, :2]
    else:
        rows = torch.linalg.inv(interop.matrices.to_edges(interop.pixels.matrix_between(family, theta, IN, OUT)))[:, :2]
    shown = kt.warp_affine(PICTURE, rows, OUT)
    assert mean_error(shown[0, 0], warped(family, theta, IMAGE, OUT)) > 0.02


@pytest.mark.parametrize("aligned", [True, False])
def test_reflection_is_about_centers_where_corners_are_aligned(aligned):
    family, theta = affine()
    options = {"padding_mode": "reflection", "align_corners": aligned}
    shown = kt.warp_affine(PICTURE, warp_affine(family, theta, IN, OUT), OUT, **options)
    ours, other = ("mirror", "reflection") if aligned else ("reflection", "mirror")
    assert error(shown[0, 0], warped(family, theta, IMAGE, OUT, ours)) < 1e-13
    assert error(shown[0, 0], warped(family, theta, IMAGE, OUT, other)) > 0.3


def test_matrices_have_the_dtype_and_the_gradient_of_theta():
    family, theta = projective()
    theta = theta.float().requires_grad_()
    conversions = (
        warp_perspective(family, theta, IN, OUT),
        homography_warp(family, theta),
        *remap(family, theta, IN, OUT),
    )
    for converted in conversions:
        assert converted.dtype == torch.float32
        (gradient,) = torch.autograd.grad(converted.sum(), theta, retain_graph=True)
        assert gradient.abs().max() > 0


@pytest.mark.parametrize(("drawn", "sizes"), [(affine, (IN, OUT)), (projective, (IN, OUT))])
def test_theta_of_a_matrix_is_the_theta_that_made_it(drawn, sizes):
    family, theta = drawn()
    back = theta_of_matrix(family, warp_perspective(family, theta, *sizes), *sizes)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-12)


def test_theta_of_a_perspective_transform_of_corners():
    corners = torch.tensor([[[4.0, 3], [30, 1], [33, 20], [2, 18]]], dtype=torch.float64)
    target = torch.tensor([[[0.0, 0], [28, 0], [28, 30], [0, 30]]], dtype=torch.float64)
    matrix = kt.get_perspective_transform(corners, target)
    family = stnkit.build("transform", "projective")
    theta = theta_of_matrix(family, matrix, IN, OUT)
    shown = kt.warp_perspective(PICTURE, matrix, OUT)
    assert error(shown[0, 0], warped(family, theta, IMAGE, OUT)) < 1e-10


@pytest.mark.no_jaxtyping
def test_maps_that_kornia_does_not_take_are_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"use kornia\.warp_perspective$"):
        warp_affine(*projective(), IN, OUT)
    family, theta = affine()
    with pytest.raises(stnkit.errors.InputError, match=r"^theta: expected maps with an inverse, got a singular matrix"):
        warp_perspective(family, 0 * theta, IN, OUT)
    for conversion in (homography_warp, lambda *map_: remap(*map_, VOLUME, OUT_VOLUME)):
        with pytest.raises(stnkit.errors.InputError, match=r"^family: expected 2 dimensions for kornia, got 3$"):
            conversion(*affine(3))


def test_theta_of_maps_is_the_theta_that_made_them():
    family, theta = tps()
    back = interop.kornia.theta_of_maps(family, *remap(family, theta, IN, OUT), IN)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-9)


NAIVE = {
    "warp_perspective, output → input": lambda f, t: kt.warp_perspective(
        PICTURE, torch.tensor(interop.pixel_matrix(f, t, IN, OUT)), OUT
    ),
    "homography_warp, aligned corners": lambda f, t: kt.homography_warp(
        PICTURE, homography_warp(f, t), OUT, align_corners=True
    ),
    "homography_warp, input → output": lambda f, t: kt.homography_warp(
        PICTURE, torch.linalg.inv(homography_warp(f, t)), OUT
    ),
    "remap, by its default": lambda f, t: kt.remap(PICTURE, *remap(f, t, IN, OUT)),
    "remap, rows first": lambda f, t: kt.remap(PICTURE, *remap(f, t, IN, OUT)[::-1], align_corners=True),
}


@pytest.mark.parametrize("guess", NAIVE)
def test_a_naive_call_shows_another_picture(guess):
    family, theta = projective()
    assert mean_error(NAIVE[guess](family, theta)[0, 0], warped(family, theta, IMAGE, OUT)) > 0.02


def test_a_homography_of_volumes_needs_aligned_corners():
    family, theta = affine(3)
    matrix = warp_perspective(family, theta, VOLUME, OUT_VOLUME)
    shown = kt.warp_perspective3d(VOXEL_PICTURE, matrix, OUT_VOLUME)
    assert mean_error(shown[0, 0], warped(family, theta, VOXELS, OUT_VOLUME)) > 0.02
