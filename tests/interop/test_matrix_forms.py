"""Families around families of matrices: their maps are matrices too. With OpenCV 5.0.0."""

import cv2
import numpy as np
import pytest
import torch

import stnkit
from stnkit import interop
from tests.interop.pictures import AFFINE, IMAGE, IN, OUT, PROJECTIVE, error, mean_error, warped

FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
BOUNDED = {"name": "bounded", "inner": "projective", "limit": 0.5}
# Each with θ of a map that leaves the image in part.
CASES = {
    "compose": ({"stages": ["projective", "affine"]}, [*PROJECTIVE, *AFFINE]),
    "compose, horizon last": ({"stages": ["affine", "projective"]}, [*AFFINE, *PROJECTIVE]),
    "compose of bounded": ({"stages": [BOUNDED, "rotation"]}, [*PROJECTIVE, 0.3]),
    "bounded": ({"inner": "projective", "limit": 0.5}, PROJECTIVE),
}


def drawn(case):
    options, theta = CASES[case]
    return stnkit.build("transform", case.split()[0].strip(","), **options), torch.tensor([theta], dtype=torch.float64)


@pytest.mark.parametrize("case", CASES)
def test_opencv_shows_the_picture_of_a_family_around_matrices(case):
    family, theta = drawn(case)
    matrix = interop.opencv.warp_perspective(family, theta, IN, OUT)[0]
    single = IMAGE.astype(np.float32)
    shown = cv2.warpPerspective(single, matrix, OUT[::-1], flags=FLAGS)
    assert error(shown, warped(family, theta, single, OUT)) < 1e-5
    y, x = np.mgrid[: OUT[0], : OUT[1]]
    image = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    np.testing.assert_allclose(
        image[..., :2] / image[..., 2:], interop.pixel_map(family, theta, IN, OUT)[0], rtol=0, atol=1e-10
    )


def test_the_stages_in_the_other_order_show_another_picture():
    family, theta = drawn("compose")
    other = stnkit.build("transform", "compose", stages=["affine", "projective"])
    matrix = interop.opencv.warp_perspective(other, torch.cat([theta[:, 8:], theta[:, :8]], dim=1), IN, OUT)[0]
    shown = cv2.warpPerspective(IMAGE.astype(np.float32), matrix, OUT[::-1], flags=FLAGS)
    assert mean_error(shown, warped(family, theta, IMAGE, OUT)) > 0.03


@pytest.mark.parametrize("case", CASES)
def test_the_matrix_of_a_wrapped_family_is_its_map(case):
    family, theta = drawn(case)
    matrix = interop.pixel_matrix(family, theta, IN, OUT)
    back = interop.theta_of_pixel_matrix(family, matrix, IN, OUT)
    torch.testing.assert_close(family.grid(back, OUT), family.grid(theta, OUT), rtol=0, atol=1e-5)


def test_itk_has_one_affine_transform_of_affine_stages():
    family = stnkit.build("transform", "compose", stages=["affine", {"name": "bounded", "inner": "scale"}])
    theta = torch.tensor([[*AFFINE, 0.2]], dtype=torch.float64)
    moving, fixed = interop.itk.Geometry((37, 23), (0.7, 1.3)), interop.itk.Geometry((29, 31), (1.1, 0.9))
    (transform,) = interop.itk.transforms_of_theta(family, theta, moving, fixed)
    assert transform.name == "AffineTransform"
    back = interop.itk.theta_of_transforms(family, transform, moving, fixed)
    torch.testing.assert_close(family.grid(back, OUT), family.grid(theta, OUT), rtol=0, atol=1e-6)


def test_a_matrix_of_stages_has_the_gradient_of_their_map():
    family, theta = drawn("compose of bounded")
    points = torch.rand(1, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) - 0.5

    def mapped(theta):
        matrix = stnkit.families.matrix_form(family, theta)
        image = points @ matrix[:, :, :2].mT + matrix[:, None, :, 2]
        return image[..., :2] / image[..., 2:]

    given = [theta.clone().requires_grad_() for _ in range(2)]
    ours, expected = (
        torch.autograd.grad(f(t).square().sum(), t)[0]
        for f, t in zip((mapped, lambda t: family(t, points)), given, strict=True)
    )
    torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.no_jaxtyping
def test_what_is_no_matrix_is_refused_with_the_function_for_maps():
    family = stnkit.build("transform", "compose", stages=["affine", "tps"])
    message = r"^family: expected one of matrices, got Compose: use pixel_map$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        interop.pixel_matrix(family, family.identity()[None], IN, OUT)
    family = stnkit.build("transform", "compose", stages=["affine", "projective"])
    theta = torch.tensor([[*AFFINE, *AFFINE, 1.5, 0.0]])
    message = r"^theta: expected stages without a horizon in the output, got one with it: use opencv\.remap$"
    with pytest.raises(stnkit.errors.InputError, match=message):
        interop.opencv.warp_perspective(family, theta, IN, OUT)
