"""Parameter files of elastix: the numbers with which itk-elastix 0.25.4 gave stnkit's picture within 6e-8."""

import numpy as np
import pytest

from stnkit.errors import InputError
from stnkit.interop import itk
from tests.interop.itk import cases

# Pixels of transformix' pictures of the affine cases, in 2 and 3 dimensions: index and value, in float32.
AFFINE = {
    2: {(0, 3): 0.8378544449806213, (12, 16): 0.23406676948070526, (30, 21): 0.5965200662612915},
    3: {(0, 0, 3): 0.5068746209144592, (5, 3, 5): 0.41281044483184814, (12, 11, 11): 0.4774116277694702},
}
# The same for the B-spline cases, of a moving image over the box of the fixed one.
SPLINE = {
    2: {(0, 6): 0.3493069112300873, (11, 14): 0.6568669080734253, (30, 7): 0.5354857444763184},
    3: {(0, 1, 2): 0.6463994383811951, (5, 4, 13): 0.48169320821762085, (12, 11, 18): 0.502547562122345},
}
# With ITK's order of these numbers, row by row, all of these pixels were 0.
DIRECTION = {2: [0, -1, 1, 0], 3: [0, 1, 0, 0, 0, -1, 1, 0, 0]}


def parsed(text):
    lines = [line.strip("()").split() for line in text.splitlines()]
    return {
        name: values if values[0].startswith('"') else [float(value) for value in values] for name, *values in lines
    }


@pytest.mark.parametrize("ndim", [2, 3])
def test_an_affine_map_is_its_matrix_about_the_origin(ndim):
    moving, fixed = cases.MOVING[ndim], cases.FIXED[ndim]
    family, theta = cases.family_of("affine", ndim), cases.theta_of("affine", ndim)
    chain = itk.transforms_of_theta(family, theta, moving, fixed)
    found = parsed(itk.elastix_parameters(chain, fixed))
    assert found["Transform"] == ['"AffineTransform"']
    assert found["TransformParameters"] == chain[0].parameters.tolist()
    assert found["CenterOfRotationPoint"] == [0] * ndim
    assert found["Size"] == list(fixed.size)
    assert (found["Spacing"], found["Origin"]) == (list(fixed.spacing), list(fixed.origin))
    assert found["Direction"] == DIRECTION[ndim]
    # Its default interpolator, a cubic B-spline, was off by up to 0.3.
    assert found["ResampleInterpolator"] == ['"FinalLinearInterpolator"']
    picture, inside, _ = cases.expected(cases.random_image(moving), family, theta, fixed.shape)
    for index, value in AFFINE[ndim].items():
        assert inside[index]
        assert abs(picture[index] - value) < 6e-8


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_bspline_is_its_lattice_and_its_coefficients(ndim):
    fixed = cases.FIXED[ndim]
    moving = fixed.covered_by(cases.MOVING[ndim].shape)
    family, theta = cases.family_of("bspline", ndim), cases.theta_of("bspline", ndim)
    chain = itk.transforms_of_theta(family, theta, moving, fixed)
    found = parsed(itk.elastix_parameters(chain, fixed))
    assert found["Transform"] == ['"BSplineTransform"']
    assert found["TransformParameters"] == chain[0].parameters.tolist()
    grid = [found[f"Grid{name}"] for name in ("Size", "Origin", "Spacing")]
    np.testing.assert_array_equal(np.concatenate(grid), chain[0].fixed_parameters[: 3 * ndim])
    assert found["Direction"] == found["GridDirection"] == DIRECTION[ndim]
    picture, inside, _ = cases.expected(cases.random_image(moving), family, theta, fixed.shape)
    for index, value in SPLINE[ndim].items():
        assert inside[index]
        assert abs(picture[index] - value) < 6e-8


def test_linear_transforms_become_one_matrix():
    shift = itk.Transform("TranslationTransform", 2, np.array([3.0, 4.0]), np.array([]))
    scale = itk.Transform("ScaleTransform", 2, np.array([2.0, 5.0]), np.zeros(2))
    found = parsed(itk.elastix_parameters([shift, scale], cases.FIXED[2]))
    assert found["TransformParameters"] == [2, 0, 0, 5, 3, 4]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("tps", "DisplacementFieldTransform_double_2_2"),
        ("bspline", "AffineTransform_double_2_2, BSplineTransform_double_2_2"),
    ],
)
def test_other_transforms_are_refused(name, told):
    family, theta = cases.family_of(name, 2), cases.theta_of(name, 2)
    chain = itk.transforms_of_theta(family, theta, cases.MOVING[2], cases.FIXED[2])
    with pytest.raises(InputError) as caught:
        itk.elastix_parameters(chain, cases.FIXED[2])
    assert str(caught.value) == f"expected linear transforms or one BSplineTransform, got {told}"


def test_a_geometry_of_other_dimensions_is_refused():
    shift = itk.Transform("TranslationTransform", 2, np.array([3.0, 4.0]), np.array([]))
    with pytest.raises(InputError, match=r"^fixed: expected a geometry of 2 dimensions, got one of 3$"):
        itk.elastix_parameters(shift, cases.FIXED[3])
