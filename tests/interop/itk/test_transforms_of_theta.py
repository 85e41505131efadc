"""θ in SimpleITK 2.5.7: pictures equal to rounding inside and at the border, and other conventions that are not."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

import stnkit
from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.interop import itk
from stnkit.plugin_system.registry import plugin_registry
from tests.interop.itk import cases

NDIMS = (2, 3)
KINDS = {
    "affine": ["AffineTransform"],
    "similarity": ["AffineTransform"],
    "bspline": ["AffineTransform", "BSplineTransform"],
    "displacement": ["AffineTransform", "DisplacementFieldTransform"],
    "tps": ["DisplacementFieldTransform"],
    "projective": ["DisplacementFieldTransform"],
}


def pictures(name, ndim, moving, fixed, chain):
    """stnkit's and SimpleITK's, and the pixels that are read inside."""
    family, theta = cases.family_of(name, ndim), cases.theta_of(name, ndim)
    array = cases.random_image(moving)
    ours, inside, band = cases.expected(array, family, theta, fixed.shape)
    assert 0.3 < inside.mean() < 0.98
    assert band.any()
    return ours, cases.resampled(array, cases.sitk_transform(chain), moving, fixed), inside


@pytest.mark.parametrize(("name", "ndim"), [(n, d) for n in KINDS for d in NDIMS if (n, d) != ("projective", 3)])
def test_simpleitk_resamples_the_picture_of_theta(name, ndim):
    moving, fixed = cases.MOVING[ndim], cases.FIXED[ndim]
    chain = itk.transforms_of_theta(cases.family_of(name, ndim), cases.theta_of(name, ndim), moving, fixed)
    assert [each.name for each in chain] == KINDS[name]
    ours, theirs, _ = pictures(name, ndim, moving, fixed, chain)
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-12)


@pytest.mark.parametrize("ndim", NDIMS)
@pytest.mark.parametrize("name", ["bspline", "displacement"])
def test_theta_is_unchanged_in_normalized_geometry(name, ndim):
    fixed = itk.Geometry.normalized(cases.FIXED[ndim].shape)
    moving = itk.Geometry.normalized(cases.MOVING[ndim].shape)
    theta = cases.theta_of(name, ndim)
    (transform,) = itk.transforms_of_theta(cases.family_of(name, ndim), theta, moving, fixed)
    planar = transform.parameters if name == "bspline" else transform.parameters.reshape(-1, ndim).T.ravel()
    np.testing.assert_allclose(planar, theta[0].numpy(), rtol=1e-14)
    ours, theirs, _ = pictures(name, ndim, moving, fixed, (transform,))
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-12)


def test_a_bspline_over_one_box_is_one_transform():
    moving = cases.MOVING[2]
    chain = itk.transforms_of_theta(
        cases.family_of("bspline", 2), cases.theta_of("bspline", 2), moving, moving.covered_by((9, 8))
    )
    assert [each.name for each in chain] == ["BSplineTransform"]


def test_the_parameters_of_a_bspline_are_those_of_simpleitk():
    made = sitk.BSplineTransform(2, 3)
    made.SetTransformDomainOrigin([-1.0, -1.0])
    made.SetTransformDomainPhysicalDimensions([2.0, 2.0])
    made.SetTransformDomainMeshSize([5, 3])
    geometry = itk.Geometry.normalized((23, 37))
    (ours,) = itk.transforms_of_theta(cases.family_of("bspline", 2), cases.theta_of("bspline", 2), geometry, geometry)
    np.testing.assert_allclose(ours.fixed_parameters, made.GetFixedParameters(), atol=1e-14)


def differs(name, ndim, chain):
    """The mean difference inside, of noise in [0, 1]: two unrelated pictures have a third."""
    ours, theirs, inside = pictures(name, ndim, cases.MOVING[ndim], cases.FIXED[ndim], chain)
    return np.abs(theirs - ours)[inside].mean() > 0.1


def changed(transform, parameters=None, fixed_parameters=None):
    new = transform.parameters if parameters is None else parameters
    new_fixed = transform.fixed_parameters if fixed_parameters is None else fixed_parameters
    return itk.Transform(transform.name, transform.ndim, new, new_fixed)


@pytest.mark.parametrize("ndim", NDIMS)
def test_a_matrix_in_another_convention_differs(ndim):
    family, theta = cases.family_of("affine", ndim), cases.theta_of("affine", ndim)
    moving, fixed = cases.MOVING[ndim], cases.FIXED[ndim]
    straight = (
        itk.Geometry(moving.size, moving.spacing, moving.origin),
        itk.Geometry(fixed.size, fixed.spacing, fixed.origin),
    )
    transposed = [
        itk.Geometry(g.size, g.spacing, g.origin, tuple(np.reshape(g.direction, (ndim, ndim)).T.ravel()))
        for g in (moving, fixed)
    ]
    indices = itk.Geometry(moving.size), itk.Geometry(fixed.size)
    normalized = itk.Geometry.normalized(moving.shape), itk.Geometry.normalized(fixed.shape)
    for geometries in (straight, transposed, indices, normalized):
        assert differs("affine", ndim, itk.transforms_of_theta(family, theta, *geometries))
    (right,) = itk.transforms_of_theta(family, theta, moving, fixed)
    inverse = cases.sitk_transform((right,)).GetInverse()
    assert differs("affine", ndim, (changed(right, np.array(inverse.GetParameters())),))


@pytest.mark.parametrize("ndim", NDIMS)
@pytest.mark.parametrize("name", ["bspline", "displacement"])
def test_a_lattice_in_another_convention_differs(name, ndim):
    family, theta = cases.family_of(name, ndim), cases.theta_of(name, ndim)
    affine, right = itk.transforms_of_theta(family, theta, cases.MOVING[ndim], cases.FIXED[ndim])
    reordered = right.parameters.reshape((ndim, -1) if name == "bspline" else (-1, ndim)).T.ravel()
    assert differs(name, ndim, (affine, changed(right, reordered)))
    assert differs(name, ndim, (right, affine))
    # The lattice without its direction, and θ's normalized displacements taken as physical ones.
    assert differs(
        name, ndim, (affine, changed(right, None, np.r_[right.fixed_parameters[: 3 * ndim], np.eye(ndim).ravel()]))
    )
    unscaled = theta.view(ndim, -1).numpy()
    unscaled = unscaled if name == "bspline" else unscaled.T
    assert differs(name, ndim, (affine, changed(right, unscaled.ravel())))


def test_zero_padding_differs_in_the_band_alone():
    moving, fixed = cases.MOVING[2], cases.FIXED[2]
    family, theta = cases.family_of("affine", 2), cases.theta_of("affine", 2)
    array = cases.random_image(moving)
    theirs = cases.resampled(
        array, cases.sitk_transform(itk.transforms_of_theta(family, theta, moving, fixed)), moving, fixed
    )
    zeros = stnkit.build("sampler", "bilinear", padding="zeros")
    ours = stnkit.warp(family, theta, torch.from_numpy(array)[None, None], zeros, fixed.shape)[0, 0].numpy()
    _, inside, _ = cases.expected(array, family, theta, fixed.shape)
    np.testing.assert_allclose(theirs[inside], ours[inside], rtol=0, atol=1e-12)
    assert 0.2 < np.abs(theirs - ours)[~inside].max() < 1


def test_simpleitk_cuts_fractions_off_whole_numbers():
    moving, fixed = cases.MOVING[2], cases.FIXED[2]
    family, theta = cases.family_of("affine", 2), cases.theta_of("affine", 2)
    array = np.random.default_rng(0).integers(0, 256, moving.shape, dtype=np.uint8)
    chain = itk.transforms_of_theta(family, theta, moving, fixed)
    theirs = cases.resampled(array, cases.sitk_transform(chain), moving, fixed)
    ours, _, _ = cases.expected(array.astype(np.float64), family, theta, fixed.shape)
    np.testing.assert_array_equal(theirs, np.floor(ours))


@pytest.mark.parametrize("name", plugin_registry().names("transform"))
def test_every_family_has_its_own_sources_at_all_pixels(name):
    moving, fixed = cases.MOVING[2], cases.FIXED[2]
    family = stnkit.build("transform", name)
    draw = torch.Generator().manual_seed(0)
    theta = family.identity() + 0.2 * torch.randn(1, family.n_params, generator=draw, dtype=torch.float64)
    chain = itk.transforms_of_theta(family, theta, moving, fixed)
    pixels = coordinates.lattice(fixed.shape, dtype=torch.float64).view(-1, 2).numpy()
    grid = family.grid(theta, fixed.shape).view(-1, 2).numpy()
    found = itk.source_points(chain, pixels, moving, fixed)
    # Behind a horizon the source is 10,000 images away.
    np.testing.assert_allclose(found, grid, rtol=1e-9, atol=1e-9)


def test_a_velocity_on_the_lattice_of_a_bspline_is_a_field():
    family = stnkit.build("transform", "velocity", control_points=[5, 6])
    theta = 0.3 * torch.ones(1, family.n_params, dtype=torch.float64).cumsum(1).sin()
    geometry = cases.FIXED[2]
    (transform,) = itk.transforms_of_theta(family, theta, geometry, geometry)
    assert transform.name == "DisplacementFieldTransform"


def test_a_row_a_batch_of_one_row_and_an_array_are_the_same():
    family, theta, geometry = cases.family_of("affine", 2), cases.theta_of("affine", 2), cases.FIXED[2]
    made = [itk.transforms_of_theta(family, each, geometry, geometry) for each in (theta, theta[0], theta.numpy())]
    assert len({tuple(transform.parameters) for (transform,) in made}) == 1


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (torch.zeros(2, 6), "theta: expected one row of parameters, got 2"),
        (torch.full((6,), torch.nan), "theta: expected finite numbers, got one that is not"),
        (torch.zeros(1, 5), "Affine: expected theta of shape (B, 6), got (1, 5)"),
        ([0.0] * 6, "theta: expected a tensor or an array of NumPy, got list"),
    ],
)
def test_a_theta_of_another_form_is_refused(theta, message):
    with pytest.raises(InputError) as caught:
        itk.transforms_of_theta(cases.family_of("affine", 2), theta, cases.MOVING[2], cases.FIXED[2])
    assert str(caught.value) == message


@pytest.mark.no_jaxtyping
def test_geometries_of_other_dimensions_are_refused():
    family, theta = cases.family_of("affine", 2), cases.theta_of("affine", 2)
    with pytest.raises(InputError, match=r"^fixed: expected a geometry of 2 dimensions, got one of 3$"):
        itk.transforms_of_theta(family, theta, cases.MOVING[2], cases.FIXED[3])
    with pytest.raises(InputError, match=r"^moving: expected a Geometry, got tuple$"):
        itk.transforms_of_theta(family, theta, (23, 37), cases.FIXED[2])
    with pytest.raises(InputError, match=r"^family: expected a TransformFamily, got str$"):
        itk.transforms_of_theta("affine", theta, cases.MOVING[2], cases.FIXED[2])
