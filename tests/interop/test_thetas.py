import functools

import numpy as np
import pytest
import torch

import stnkit
from stnkit import interop
from tests.interop.pictures import AFFINE, IN, OUT, OUT_VOLUME, VOLUME, affine, projective, tps


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("drawn", [affine, projective])
def test_theta_of_a_pixel_matrix_is_the_theta_that_made_it(drawn, kind):
    family, theta = drawn()
    matrix = kind(interop.pixel_matrix(family, theta, IN, OUT))
    torch.testing.assert_close(interop.theta_of_pixel_matrix(family, -2 * matrix, IN, OUT), theta, rtol=0, atol=1e-12)
    torch.testing.assert_close(interop.theta_of_pixel_matrix(family, matrix[0], IN, OUT), theta, rtol=0, atol=1e-12)


def test_a_spline_that_is_fitted_holds_an_affine_matrix():
    family, _ = tps()
    theta = interop.theta_of_pixel_matrix(family, -2 * interop.pixel_matrix(*affine(), IN, OUT), IN, OUT)
    points = family.control_points[None]
    torch.testing.assert_close(family(theta, points), affine()[0](torch.tensor([AFFINE]).double(), points))


def test_a_family_of_matrices_without_a_theta_of_one_is_fitted():
    family = stnkit.build("transform", "shear")
    theta = torch.tensor([[0.2, -0.1]], dtype=torch.float64)
    back = interop.theta_of_pixel_matrix(family, interop.pixel_matrix(family, theta, IN, OUT), IN, OUT)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["tps", "bspline", "displacement", "piecewise_affine"])
@pytest.mark.parametrize("as_tensor", [True, False])
def test_theta_of_a_pixel_map_is_the_theta_that_made_it(name, as_tensor):
    options = {"displacement": {"resolution": [4, 5]}, "bspline": {"control_points": [5, 6]}}.get(name, {})
    family = stnkit.build("transform", name, **options)
    noise = torch.randn(2, family.n_params, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    theta = family.identity() + 0.05 * noise
    pixels = interop.pixel_map(family, theta, IN, OUT)
    back = interop.theta_of_pixel_map(family, torch.tensor(pixels) if as_tensor else pixels, IN)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-8)


MODULES = {
    "align_corners": lambda family, theta: interop.align_corners.theta_of_grid(
        family, interop.align_corners.grid(family, theta, IN, IN), IN
    ),
    "monai": lambda family, theta: interop.monai.theta_of_field(family, interop.monai.warp_field(family, theta, IN)),
    "torchvision": lambda family, theta: interop.torchvision.theta_of_field(
        family, interop.torchvision.elastic(family, theta, IN)
    ),
    "kornia": lambda family, theta: interop.kornia.theta_of_maps(
        family, *interop.kornia.remap(family, theta, IN, IN), IN
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("tool", MODULES)
def test_a_map_in_float32_with_a_horizon_leads_back(tool):
    family = stnkit.build("transform", "projective")
    noise = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
    theta = family.identity().float() + 0.45 * noise
    assert (0.45 * noise[:, 6:].abs().sum(dim=1) > 1).any()
    for one in theta:
        torch.testing.assert_close(MODULES[tool](family, one[None]).float(), one[None], rtol=0, atol=1e-6)


def test_theta_of_a_map_of_volumes_is_the_theta_that_made_it():
    family, theta = affine(3)
    pixels = interop.pixel_map(family, theta, VOLUME, OUT_VOLUME)
    torch.testing.assert_close(interop.theta_of_pixel_map(family, pixels[0], VOLUME), theta, rtol=0, atol=1e-10)


def test_points_that_are_not_known_are_left_out():
    family, theta = tps()
    pixels = interop.pixel_map(family, theta, IN, OUT)
    pixels[:, 5:9, ::3] = np.nan
    pixels[:, 20, 3:9] = np.inf
    torch.testing.assert_close(interop.theta_of_pixel_map(family, pixels, IN), theta, rtol=0, atol=1e-9)


def test_a_map_larger_than_its_fit_is_compared_at_every_pixel():
    family = stnkit.build("transform", "translation")
    size = (3, 400)
    pixels = interop.pixel_map(family, torch.zeros(1, 2), size, size)
    assert float(interop.theta_of_pixel_map(family, pixels, size).abs().max()) < 1e-12
    pixels[0, 1, 1] += 3.0  # none of those that are fitted
    with pytest.raises(
        stnkit.errors.InputError, match=r"got one that its nearest map misses by 4\.24 pixels in row 0$"
    ):
        interop.theta_of_pixel_map(family, pixels, size)


@pytest.mark.no_jaxtyping
def test_a_map_that_the_family_does_not_hold_is_refused():
    pixels = interop.pixel_map(*tps(), IN, OUT)
    family = stnkit.build("transform", "similarity")
    with pytest.raises(stnkit.errors.InputError, match=r"^map: expected one of Similarity, got one that .* misses by"):
        interop.theta_of_pixel_map(family, pixels, IN)
    with pytest.raises(stnkit.errors.InputError, match=r"^Similarity\.from_matrix: expected"):
        interop.theta_of_pixel_matrix(family, interop.pixel_matrix(*affine(), IN, OUT), IN, OUT)
    with pytest.raises(stnkit.errors.InputError, match=r"^map: expected one of ThinPlateSpline, got one"):
        interop.theta_of_pixel_matrix(tps()[0], interop.pixel_matrix(*projective(), IN, OUT), IN, OUT)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("tolerance", [-1.0, float("nan")])
def test_a_tolerance_that_is_no_distance_is_refused(tolerance):
    with pytest.raises(stnkit.errors.InputError, match=r"^tolerance: expected a number of at least 0, got"):
        interop.theta_of_pixel_map(affine()[0], np.zeros((5, 5, 2)), IN, tolerance)


# Each with an array of three numbers a row, and the size of the image that is read.
OF_MATRICES = {
    "theta_of_pixel_matrix": interop.theta_of_pixel_matrix,
    "opencv": functools.partial(interop.opencv.theta_of_matrix, inverse_map=True),
    "kornia": interop.kornia.theta_of_matrix,
    "monai, voxels": interop.monai.theta_of_voxel_matrix,
    "monai, center": interop.monai.theta_of_affine,
    "monai, world": lambda family, matrix, *sizes: interop.monai.theta_of_affines(family, matrix, matrix, *sizes),
    "align_corners": interop.align_corners.theta_of_affine_grid,
}


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("size", [None, 5, (3,), (3, 4, 5), (0, 3), (3.5, 2), "ab"])
@pytest.mark.parametrize("name", OF_MATRICES)
def test_a_size_that_is_none_is_refused(name, size):
    for sizes in ((size, OUT), (IN, size)):
        with pytest.raises(stnkit.errors.InputError, match=r"^size: expected 2 whole numbers of at least 1, got"):
            OF_MATRICES[name](affine()[0], np.eye(3), *sizes)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("pixels", [np.zeros((5, 2)), np.zeros((5, 5, 3)), np.zeros((1, 0, 5, 2)), [[[0.0, 0.0]]]])
def test_pixels_of_another_shape_are_refused(pixels):
    with pytest.raises(stnkit.errors.InputError, match=r"^pixels: expected .*, got"):
        interop.theta_of_pixel_map(affine()[0], pixels, IN)


@pytest.mark.parametrize("change", [lambda m: m.copy()[::-1][::-1], lambda m: m.astype(">f8"), np.asfortranarray])
def test_arrays_of_any_layout_are_taken(change):
    family, theta = affine()
    matrix = change(interop.pixel_matrix(family, theta, IN, OUT)[0])
    matrix.flags.writeable = False
    torch.testing.assert_close(interop.theta_of_pixel_matrix(family, matrix, IN, OUT), theta, rtol=0, atol=1e-12)


FROM = {
    "align_corners.theta_of_affine_grid": lambda f, m: interop.align_corners.theta_of_affine_grid(f, m, IN, OUT),
    "align_corners.theta_of_grid": lambda f, m: interop.align_corners.theta_of_grid(f, m, IN),
    "boxes.theta_of_boxes": lambda f, m: interop.boxes.theta_of_boxes(f, m, IN),
    "kornia.theta_of_maps": lambda f, m: interop.kornia.theta_of_maps(f, m, m, IN),
    "kornia.theta_of_matrix": lambda f, m: interop.kornia.theta_of_matrix(f, m, IN, OUT),
    "monai.theta_of_affine": lambda f, m: interop.monai.theta_of_affine(f, m, IN, OUT),
    "monai.theta_of_field": lambda f, m: interop.monai.theta_of_field(f, m),
    "monai.theta_of_voxel_matrix": lambda f, m: interop.monai.theta_of_voxel_matrix(f, m, IN, OUT),
    "opencv.theta_of_maps": lambda f, m: interop.opencv.theta_of_maps(f, m, m, IN),
    "opencv.theta_of_matrix": lambda f, m: interop.opencv.theta_of_matrix(f, m, IN, OUT),
    "pillow.theta_of_coefficients": lambda f, m: interop.pillow.theta_of_coefficients(f, m, IN, OUT),
    "scikit_image.theta_of_transform": lambda f, m: interop.scikit_image.theta_of_transform(f, m, IN, OUT),
    "scipy.theta_of_affine": lambda f, m: interop.scipy.theta_of_affine(f, m, m, IN, OUT),
    "scipy.theta_of_coordinates": lambda f, m: interop.scipy.theta_of_coordinates(f, m, IN),
    "theta_of_pixel_map": lambda f, m: interop.theta_of_pixel_map(f, m, IN),
    "theta_of_pixel_matrix": lambda f, m: interop.theta_of_pixel_matrix(f, m, IN, OUT),
    "torchvision.theta_of_field": lambda f, m: interop.torchvision.theta_of_field(f, m),
}


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("given", ["no numbers", None, np.full((3, 3), "1"), np.eye(3) * 1j, torch.eye(3) * 1j])
@pytest.mark.parametrize("name", FROM)
def test_a_map_that_is_no_numbers_is_refused(name, given):
    with pytest.raises(stnkit.errors.InputError, match=r"^[\w ]+: expected .*, got"):
        FROM[name](affine()[0], given)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", FROM)
def test_the_name_of_a_family_is_no_family(name):
    with pytest.raises(stnkit.errors.InputError, match=r"^family: expected a transform family, got str$"):
        FROM[name]("affine", np.eye(3))


# Of each function a batch of nothing.
NO_MATRICES, NO_MAPS = np.zeros((0, 3, 3)), np.zeros((0, 4, 5))
OF_NOTHING = {
    "theta_of_pixel_matrix": lambda f: interop.theta_of_pixel_matrix(f, NO_MATRICES, IN, OUT),
    "theta_of_pixel_map": lambda f: interop.theta_of_pixel_map(f, np.zeros((0, 4, 5, 2)), IN),
    "align_corners.theta_of_affine_grid": lambda f: interop.align_corners.theta_of_affine_grid(f, NO_MATRICES, IN, OUT),
    "align_corners.theta_of_grid": lambda f: interop.align_corners.theta_of_grid(f, np.zeros((0, 4, 5, 2)), IN),
    "boxes.theta_of_boxes": lambda f: interop.boxes.theta_of_boxes(f, np.zeros((0, 4)), IN),
    "kornia.theta_of_maps": lambda f: interop.kornia.theta_of_maps(f, *[torch.tensor(NO_MAPS)] * 2, IN),
    "kornia.theta_of_matrix": lambda f: interop.kornia.theta_of_matrix(f, NO_MATRICES, IN, OUT),
    "monai.theta_of_affine": lambda f: interop.monai.theta_of_affine(f, NO_MATRICES, IN, OUT),
    "monai.theta_of_affines": lambda f: interop.monai.theta_of_affines(f, np.zeros((0, 4, 4)), NO_MATRICES, IN, OUT),
    "monai.theta_of_field": lambda f: interop.monai.theta_of_field(f, np.zeros((0, 2, 4, 5))),
    "monai.theta_of_voxel_matrix": lambda f: interop.monai.theta_of_voxel_matrix(f, NO_MATRICES, IN, OUT),
    "opencv.theta_of_maps": lambda f: interop.opencv.theta_of_maps(f, NO_MAPS, NO_MAPS, IN),
    "opencv.theta_of_matrix": lambda f: interop.opencv.theta_of_matrix(f, NO_MATRICES, IN, OUT, False),
    "pillow.theta_of_coefficients": lambda f: interop.pillow.theta_of_coefficients(f, np.zeros((0, 6)), IN, OUT),
    "scipy.theta_of_affine": lambda f: interop.scipy.theta_of_affine(f, np.zeros((0, 2, 2)), np.zeros((0, 2)), IN, OUT),
    "scipy.theta_of_coordinates": lambda f: interop.scipy.theta_of_coordinates(f, np.zeros((0, 2, 4, 5)), IN),
    "torchvision.theta_of_field": lambda f: interop.torchvision.theta_of_field(f, np.zeros((0, 4, 5, 2))),
}


@pytest.mark.parametrize("family", ["affine", "projective", "shear", "tps", "velocity"])
@pytest.mark.parametrize("name", OF_NOTHING)
def test_a_batch_of_no_maps_has_no_theta(name, family):
    built = stnkit.build("transform", family)
    assert OF_NOTHING[name](built).shape == (0, built.n_params)
