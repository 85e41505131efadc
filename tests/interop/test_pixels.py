import numpy as np
import pytest
import torch

import stnkit
from stnkit import coordinates, interop

IN, OUT = (23, 37), (31, 29)
CASES = {
    "affine": [0.7, 0.1, 0.1, -0.2, 0.9, -0.05],
    "projective": [0.7, 0.1, 0.1, -0.2, 0.9, -0.05, 0.1, 0.2],
    "similarity": [0.3, -0.1, 0.1, 0.2],
}
VOLUME, OUT_VOLUME = (11, 17, 23), (13, 12, 19)


def drawn(name):
    return stnkit.build("transform", name), torch.tensor([CASES[name]], dtype=torch.float64)


@pytest.mark.parametrize("name", CASES)
def test_a_pixel_matrix_maps_the_lattice_as_the_pixel_map(name):
    family, theta = drawn(name)
    matrix = interop.pixel_matrix(family, theta, IN, OUT)[0]
    y, x = np.mgrid[: OUT[0], : OUT[1]]
    image = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    np.testing.assert_allclose(
        image[..., :2] / image[..., 2:], interop.pixel_map(family, theta, IN, OUT)[0], rtol=0, atol=1e-12
    )


def test_pixel_indices_of_a_volume_are_x_first():
    family = stnkit.build("transform", "affine", ndim=3)
    theta = family.identity()[None] + 0.1 * torch.arange(12.0)[None] / 12
    matrix = interop.pixel_matrix(family, theta, VOLUME, OUT_VOLUME)[0]
    index = np.array([18, 2, 7, 1.0])
    np.testing.assert_allclose((matrix @ index)[:3], interop.pixel_map(family, theta, VOLUME, OUT_VOLUME)[0, 7, 2, 18])


def test_a_pixel_matrix_is_that_of_normalized_matrix():
    family, theta = drawn("projective")
    back = coordinates.normalized_matrix(torch.tensor(interop.pixel_matrix(family, theta, IN, OUT)), IN, OUT)
    torch.testing.assert_close(back, family.matrix(theta), rtol=0, atol=1e-14)


def test_arrays_and_float32_give_the_same_as_tensors():
    family, theta = drawn("affine")
    expected = interop.pixel_matrix(family, theta, IN, OUT)
    np.testing.assert_array_equal(interop.pixel_matrix(family, theta.numpy(), IN, OUT), expected)
    single = interop.pixel_matrix(family, theta.float().requires_grad_(), IN, OUT)
    assert single.dtype == np.float64
    np.testing.assert_allclose(single, expected, rtol=1e-6)


def test_points_behind_the_horizon_are_far_outside():
    family = stnkit.build("transform", "projective")
    theta = torch.tensor([[1.0, 0, 0, 0, 1, 0, 2, 0]])
    pixels = interop.pixel_map(family, theta, IN, OUT)[0]
    assert np.isfinite(pixels).all()
    assert (pixels[:, 0, 0] > 1e4).all()


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("name", "theta", "sizes", "message"),
    [
        (
            "tps",
            torch.zeros(1, 32),
            (IN, OUT),
            "family: expected one of matrices, got ThinPlateSpline: use pixel_map",
        ),
        ("affine", torch.zeros(1, 5), (IN, OUT), r"Affine: expected theta of shape \(B, 6\), got \(1, 5\)"),
        ("affine", torch.zeros(1, 6).int(), (IN, OUT), "Affine: expected a floating-point theta, got torch.int32"),
        ("affine", [0.0] * 6, (IN, OUT), "theta: expected a tensor or an array of NumPy, got list"),
        ("affine", torch.zeros(1, 6), (IN, (4,)), r"size: expected 2 whole numbers of at least 1, got \[4\]"),
    ],
)
def test_bad_input_of_a_conversion_is_one_sentence(name, theta, sizes, message):
    with pytest.raises(stnkit.errors.InputError, match=f"^{message}"):
        interop.pixel_matrix(stnkit.build("transform", name), theta, *sizes)


@pytest.mark.no_jaxtyping
def test_a_pixel_map_of_a_wrong_size_is_refused():
    family, theta = drawn("affine")
    with pytest.raises(stnkit.errors.InputError, match=r"^size: expected 2 whole numbers"):
        interop.pixel_map(family, theta, (4, 4, 4), OUT)
