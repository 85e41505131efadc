"""With opencv-python-headless 5.0.0.93, whose float32 pictures are those of the exact map."""

import cv2
import numpy as np
import pytest
import torch

import stnkit
from stnkit.interop import opencv, pixel_map
from stnkit.interop.matrices import to_edges
from tests.interop.pictures import AFFINE, IMAGE, IN, OUT, affine, error, mean_error, projective, tps, warped

FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
DSIZE = OUT[::-1]
SINGLE = IMAGE.astype(np.float32)


def border(padding):
    value = 0.3 if padding == "fill" else 0
    return {"borderMode": getattr(cv2, opencv.BORDERS[padding]), "borderValue": value}


def test_the_version_is_the_one_that_the_module_describes():
    assert cv2.__version__.startswith("5.")


@pytest.mark.parametrize("inverse_map", [True, False])
def test_warp_affine_shows_the_picture_of_stnkit(inverse_map):
    family, theta = affine()
    matrix = opencv.warp_affine(family, theta, IN, OUT, inverse_map)[0]
    shown = cv2.warpAffine(SINGLE, matrix, DSIZE, flags=FLAGS if inverse_map else cv2.INTER_LINEAR)
    assert error(shown, warped(family, theta, SINGLE, OUT)) < 1e-5


@pytest.mark.parametrize("inverse_map", [True, False])
def test_warp_perspective_shows_the_picture_of_stnkit(inverse_map):
    family, theta = projective()
    matrix = opencv.warp_perspective(family, theta, IN, OUT, inverse_map)[0]
    shown = cv2.warpPerspective(SINGLE, matrix, DSIZE, flags=FLAGS if inverse_map else cv2.INTER_LINEAR)
    assert error(shown, warped(family, theta, SINGLE, OUT)) < 1e-5


@pytest.mark.parametrize("padding", opencv.BORDERS)
@pytest.mark.parametrize("drawn", [affine, projective, tps])
def test_remap_shows_the_picture_of_stnkit(drawn, padding):
    family, theta = drawn()
    maps = (axis[0] for axis in opencv.remap(family, theta, IN, OUT))
    shown = cv2.remap(SINGLE, *maps, cv2.INTER_LINEAR, **border(padding))
    assert error(shown, warped(family, theta, SINGLE, OUT, padding)) < 1e-5


@pytest.mark.parametrize("padding", opencv.BORDERS)
def test_a_border_mode_is_the_padding_of_its_name(padding):
    family, theta = projective()
    matrix = opencv.warp_perspective(family, theta, IN, OUT)[0]
    shown = cv2.warpPerspective(SINGLE, matrix, DSIZE, flags=FLAGS, **border(padding))
    assert error(shown, warped(family, theta, SINGLE, OUT, padding)) < 1e-5


@pytest.mark.parametrize("channels", [1, 2])
def test_float64_and_two_channels_are_read_at_32nds(channels):
    family, theta = affine()
    image = np.dstack([IMAGE] * channels) if channels == 2 else IMAGE
    image = image.astype(np.float32) if channels == 2 else image
    shown = cv2.warpAffine(image, opencv.warp_affine(family, theta, IN, OUT)[0], DSIZE, flags=FLAGS)
    shown = shown[..., 0] if channels == 2 else shown
    assert 1e-3 < error(shown, warped(family, theta, IMAGE, OUT)) < 1 / 32


def test_reflection_and_mirror_are_two_border_modes():
    family, theta = affine()
    matrix = opencv.warp_affine(family, theta, IN, OUT)[0]
    shown = cv2.warpAffine(SINGLE, matrix, DSIZE, flags=FLAGS, borderMode=cv2.BORDER_REFLECT_101)
    assert error(shown, warped(family, theta, SINGLE, OUT, "reflection")) > 0.3


@pytest.mark.parametrize("guess", ["aligned corners", "forward", "edges"])
def test_a_naive_matrix_shows_another_picture(guess):
    family, theta = affine()
    ours = opencv.warp_affine(family, theta, IN, OUT)[0]
    if guess == "aligned corners":  # [-1, 1] as the outermost centers
        to_pixels, from_pixels = (
            np.array([[(w - 1) / 2, 0, (w - 1) / 2], [0, (h - 1) / 2, (h - 1) / 2], [0, 0, 1]]) for h, w in (IN, OUT)
        )
    elif guess == "edges":  # pixel 0 as the outer edge
        to_pixels, from_pixels = (np.array([[w / 2, 0, w / 2], [0, h / 2, h / 2], [0, 0, 1]]) for h, w in (IN, OUT))
    if guess != "forward":
        ours = (to_pixels @ family.matrix(theta)[0].numpy() @ np.linalg.inv(from_pixels))[:2]
    shown = cv2.warpAffine(SINGLE, ours, DSIZE, flags=cv2.INTER_LINEAR if guess == "forward" else FLAGS)
    assert mean_error(shown, warped(family, theta, SINGLE, OUT)) > 0.03


@pytest.mark.parametrize("inverse_map", [True, False])
@pytest.mark.parametrize("drawn", [affine, projective])
def test_theta_of_a_matrix_is_the_theta_that_made_it(drawn, inverse_map):
    family, theta = drawn()
    matrix = opencv.warp_perspective(family, theta, IN, OUT, inverse_map)[0]
    back = opencv.theta_of_matrix(family, 3 * matrix, IN, OUT, inverse_map)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-12)


def test_theta_of_a_homography_of_corners_shows_its_picture():
    corners = np.array([[4, 3], [30, 1], [33, 20], [2, 18]], dtype=np.float32)
    target = np.array([[0, 0], [28, 0], [28, 30], [0, 30]], dtype=np.float32)
    matrix = cv2.findHomography(corners, target)[0]  # input → output
    family = stnkit.build("transform", "projective")
    theta = opencv.theta_of_matrix(family, matrix, IN, OUT, inverse_map=False)
    shown = cv2.warpPerspective(SINGLE, matrix, DSIZE)
    assert error(shown, warped(family, theta, SINGLE, OUT)) < 1e-5


def test_theta_of_an_affine_estimate_of_a_similarity():
    matrix = cv2.getRotationMatrix2D((18, 11), 20, 0.8)  # input → output
    family = stnkit.build("transform", "similarity", aspect=37 / 23)
    theta = opencv.theta_of_matrix(family, matrix, IN, IN, inverse_map=False)
    shown = cv2.warpAffine(SINGLE, matrix, IN[::-1])
    assert error(shown, warped(family, theta, SINGLE, IN)) < 1e-5


@pytest.mark.no_jaxtyping
def test_maps_that_opencv_does_not_take_are_refused():
    family, theta = projective()
    with pytest.raises(
        stnkit.errors.InputError, match=r"^theta: expected affine maps, got a projective one in row 0: "
    ):
        opencv.warp_affine(family, theta, IN, OUT)
    family, theta = affine(3)
    for conversion in (opencv.warp_affine, opencv.warp_perspective, opencv.remap):
        with pytest.raises(stnkit.errors.InputError, match=r"^family: expected 2 dimensions for OpenCV, got 3$"):
            conversion(family, theta, IN, OUT)


@pytest.mark.no_jaxtyping
def test_a_map_without_an_inverse_is_refused_forward():
    family, theta = affine()
    with pytest.raises(stnkit.errors.InputError, match=r"^theta: expected maps with an inverse, got a singular matrix"):
        opencv.warp_affine(family, 0 * theta, IN, OUT, inverse_map=False)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("matrix", [np.eye(4), np.zeros((2, 2)), [[1, 0, 0], [0, 1, 0]]])
def test_a_matrix_of_another_shape_is_refused(matrix):
    with pytest.raises(stnkit.errors.InputError, match=r"^matrix: expected .*, got"):
        opencv.theta_of_matrix(affine()[0], matrix, IN, OUT)


@pytest.mark.parametrize("drawn", [affine, projective, tps])
def test_theta_of_maps_is_the_theta_that_made_them(drawn):
    family, theta = drawn()
    back = opencv.theta_of_maps(family, *opencv.remap(family, theta, IN, OUT), IN)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-5)


def test_theta_of_maps_of_an_undistortion_is_close_to_them():
    camera = np.array([[40.0, 0, 18], [0, 40, 11], [0, 0, 1]])
    lens = np.array([0.1, -0.05, 0, 0, 0])
    maps = cv2.initUndistortRectifyMap(camera, lens, None, camera, IN[::-1], cv2.CV_32FC1)
    family = stnkit.build("transform", "bspline", control_points=[7, 7])
    theta = opencv.theta_of_maps(family, *maps, IN, tolerance=0.05)
    assert error(cv2.remap(SINGLE, *maps, cv2.INTER_LINEAR), warped(family, theta, SINGLE, IN)) < 0.05


@pytest.mark.no_jaxtyping
def test_maps_of_two_shapes_are_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"^map_y: expected the shape of map_x, \(4, 5\), got \(4, 6\)$"):
        opencv.theta_of_maps(affine()[0], np.zeros((4, 5)), np.zeros((4, 6)), IN)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_theta_that_is_not_finite_has_no_inverse(value):
    family, theta = affine()
    with pytest.raises(stnkit.errors.InputError, match=r"^theta: expected maps with an inverse, got a singular matrix"):
        opencv.warp_affine(family, theta * value, IN, OUT, inverse_map=False)
    assert not np.isfinite(opencv.warp_affine(family, theta * value, IN, OUT)).all()


@pytest.mark.parametrize("conversion", [opencv.warp_affine, opencv.warp_perspective, opencv.remap])
def test_an_empty_batch_has_no_rows(conversion):
    assert (
        len(conversion(affine()[0], torch.zeros(0, 6), IN, OUT)[0 if conversion is opencv.remap else slice(None)]) == 0
    )


@pytest.mark.parametrize("guess", ["the other direction", "edges"])
def test_a_naive_homography_shows_another_picture(guess):
    family, theta = projective()
    matrix = opencv.warp_perspective(family, theta, IN, OUT, inverse_map=guess == "edges")
    if guess == "edges":
        matrix = to_edges(torch.tensor(matrix)).numpy()
    shown = cv2.warpPerspective(SINGLE, matrix[0], DSIZE, flags=FLAGS)
    assert mean_error(shown, warped(family, theta, SINGLE, OUT)) > 0.03


@pytest.mark.parametrize("guess", ["rows first", "aligned corners", "edges"])
def test_naive_maps_show_another_picture(guess):
    family, theta = tps()
    grid = family.grid(theta, OUT)[0].numpy()
    span = np.array(IN[::-1]) - (guess == "aligned corners")
    pixels = ((grid + 1) / 2 * span).astype(np.float32)
    if guess == "rows first":
        pixels = np.stack(opencv.remap(family, theta, IN, OUT), axis=-1)[0, ..., ::-1]
    shown = cv2.remap(SINGLE, *np.moveaxis(pixels, -1, 0).copy(), cv2.INTER_LINEAR)
    assert mean_error(shown, warped(family, theta, SINGLE, OUT)) > 0.03


def test_points_behind_the_horizon_of_a_wide_image_are_outside():
    family = stnkit.build("transform", "projective")
    theta = torch.tensor([[1.0, 0, 0, 0, 1, 0, 2, 0]])  # the left quarter is behind it
    ramp = np.tile(np.linspace(1, 2, 20_000), (4, 1))
    maps = [axis[0] for axis in opencv.remap(family, theta, ramp.shape, (4, 8))]
    shown = cv2.remap(ramp, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    assert shown[0, 0] == 2
    naive = (axis[0].astype(np.float32) for axis in np.moveaxis(pixel_map(family, theta, ramp.shape, (4, 8)), -1, 0))
    assert cv2.remap(ramp, *naive, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0, 0] == 1


@pytest.mark.parametrize("size", [IN, (4000, 6000)])
@pytest.mark.parametrize("horizon", [(1.8, 0.6), (-0.9, 1.2)])
def test_theta_of_maps_in_float32_across_a_horizon(horizon, size):
    family = stnkit.build("transform", "projective")
    theta = torch.tensor([[*AFFINE, *horizon]], dtype=torch.float64)
    maps = opencv.remap(family, theta, size, OUT)
    assert max(float(np.abs(axis).max()) for axis in maps) > 100 * max(size)
    torch.testing.assert_close(opencv.theta_of_maps(family, *maps, size), theta, rtol=0, atol=1e-5)
    maps[0][0, 15, 14] += 0.2  # the center of the output, which is close to that of the image
    with pytest.raises(stnkit.errors.InputError, match=r"^map: expected one of Projective, got one that .* misses by"):
        opencv.theta_of_maps(family, *maps, size)


@pytest.mark.parametrize("other", [np.uint16, np.float16, np.float64])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.int64])
def test_maps_of_whole_numbers_of_every_dtype_are_read(dtype, other):
    family, (rows, columns) = stnkit.build("transform", "affine"), np.mgrid[:4, :8]
    found = opencv.theta_of_maps(family, (2 * columns + 1).astype(dtype), (rows + 3).astype(other), (9, 20))
    expected = opencv.theta_of_matrix(family, np.array([[2, 0, 1], [0, 1, 3]]), (9, 20), (4, 8))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
