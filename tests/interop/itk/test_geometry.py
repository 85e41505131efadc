import numpy as np
import pytest
import SimpleITK as sitk
import torch

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.interop.itk import Geometry
from stnkit.interop.itk.geometry import transformed
from tests.interop.itk import cases


@pytest.mark.parametrize("ndim", [2, 3])
def test_it_has_the_physical_points_of_simpleitk(ndim):
    geometry = cases.MOVING[ndim]
    image = cases.sitk_image(np.zeros(geometry.shape), geometry)
    index = np.random.default_rng(0).uniform(-3, 30, (20, ndim))
    theirs = np.array([image.TransformContinuousIndexToPhysicalPoint(each) for each in index.tolist()])
    np.testing.assert_allclose(transformed(geometry.index_to_physical, index), theirs, atol=1e-12)
    normalized = coordinates.from_pixels(torch.from_numpy(index), geometry.shape).numpy()
    np.testing.assert_allclose(transformed(geometry.normalized_to_physical, normalized), theirs, atol=1e-12)


@pytest.mark.parametrize("ndim", [2, 3])
def test_that_of_an_image_of_simpleitk_is_read_off(ndim):
    geometry = cases.MOVING[ndim]
    found = Geometry.of(cases.sitk_image(np.zeros(geometry.shape), geometry))
    assert (found.size, found.spacing, found.origin, found.direction) == (
        geometry.size,
        geometry.spacing,
        geometry.origin,
        geometry.direction,
    )


def test_without_more_it_is_that_of_a_new_image():
    assert Geometry((37, 23)) == Geometry.of(sitk.Image(37, 23, sitk.sitkFloat64))


@pytest.mark.parametrize("ndim", [2, 3])
def test_in_the_normalized_one_physical_points_are_normalized(ndim):
    matrix = Geometry.normalized(cases.MOVING[ndim].shape).normalized_to_physical
    np.testing.assert_allclose(matrix, np.eye(ndim + 1), atol=1e-15)


def test_another_shape_over_the_same_box_has_the_same_corners():
    geometry = cases.MOVING[3]
    other = geometry.covered_by((4, 5, 6))
    assert other.shape == (4, 5, 6)
    np.testing.assert_allclose(other.normalized_to_physical, geometry.normalized_to_physical, atol=1e-12)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float32])
def test_arrays_of_numbers_are_taken(dtype):
    size, numbers = np.array([37, 23, 11], dtype), np.array([1.5, 2.0, 0.5], np.float32)
    expected = Geometry((37, 23, 11), (1.5, 2.0, 0.5), (1.5, 2.0, 0.5))
    assert Geometry(size, numbers, numbers) == Geometry(tuple(size), numbers, numbers) == expected
    assert all(type(n) is int for n in Geometry(size).size)
    assert Geometry.normalized(size) == Geometry.normalized((37, 23, 11))
    assert expected.covered_by(size) == expected.covered_by((37, 23, 11))


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (4,)}, "size: expected 2 or 3 positive whole numbers, x first, got (4,)"),
        ({"size": (4, 0)}, "size: expected 2 or 3 positive whole numbers, x first, got (4, 0)"),
        ({"size": None}, "size: expected 2 or 3 positive whole numbers, x first, got None"),
        ({"size": 5}, "size: expected 2 or 3 positive whole numbers, x first, got 5"),
        ({"size": "ab"}, "size: expected 2 or 3 positive whole numbers, x first, got ab"),
        ({"size": (4, 2.5)}, "size: expected 2 or 3 positive whole numbers, x first, got (4, 2.5)"),
        ({"size": (4, np.inf)}, "size: expected 2 or 3 positive whole numbers, x first, got (4, inf)"),
        ({"size": np.array([4, 0])}, "size: expected 2 or 3 positive whole numbers, x first, got [4 0]"),
        ({"size": np.array([[4, 2]])}, "size: expected 2 or 3 positive whole numbers, x first, got [[4 2]]"),
        ({"size": np.array(4)}, "size: expected 2 or 3 positive whole numbers, x first, got 4"),
        ({"size": (4, 2), "spacing": (1.0, -1.0)}, "spacing: expected positive numbers, got [1.0, -1.0]"),
        ({"size": (4, 2), "spacing": (1.0,)}, "spacing: expected 2 finite numbers, got (1.0,)"),
        ({"size": (4, 2), "origin": (0.0, np.inf)}, "origin: expected 2 finite numbers, got (0.0, inf)"),
        ({"size": (4, 2), "origin": "origin"}, "origin: expected 2 finite numbers, got origin"),
        (
            {"size": (4, 2), "direction": (1, 1, 1, 1)},
            "direction: expected a matrix with an inverse, got [1.0, 1.0, 1.0, 1.0]",
        ),
    ],
)
def test_no_position_in_space_is_refused(arguments, message):
    with pytest.raises(InputError) as caught:
        Geometry(**arguments)
    assert str(caught.value) == message


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("shape", [(0, 3), (3,), 5, (2, np.nan)])
def test_a_shape_without_pixels_is_refused(shape):
    for geometry in (Geometry.normalized, Geometry((4, 2)).covered_by):
        with pytest.raises(InputError, match=r"^shape: expected 2 or 3 positive whole numbers, got"):
            geometry(shape)


def test_an_image_without_a_geometry_is_refused():
    with pytest.raises(InputError, match=r"^image: expected an image with GetSize, .*, got ndarray$"):
        Geometry.of(np.zeros((4, 2)))
