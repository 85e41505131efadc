"""Transforms of SimpleITK 2.5.7 as θ."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch

import stnkit
from stnkit.errors import InputError
from stnkit.interop import itk
from tests.interop.itk import cases

CENTER = {2: (3.0, -4.0), 3: (3.0, -4.0, 5.0)}


def versor(transform):
    transform.SetRotation((0.48, 0.6, 0.64), 1.1)
    return transform


def skewed(transform, skew):
    """The turned transform with three scales and numbers of skew, if it has any."""
    versor(transform).SetScale((1.3, 0.7, 1.1))
    if skew:
        transform.SetSkew(skew)
    return transform


LINEAR = {
    "Transform": lambda: sitk.Transform(3, sitk.sitkIdentity),
    "TranslationTransform": lambda: sitk.TranslationTransform(3, (1.0, 2.0, 3.0)),
    "ScaleTransform": lambda: sitk.ScaleTransform(3, (1.1, 0.8, 1.3)),
    "AffineTransform": lambda: sitk.AffineTransform((0.9, 0.4, 0.1, -0.5, 0.8, 0.2, 0.1, -0.2, 1.1), (1, 2, 3)),
    "Euler2DTransform": lambda: sitk.Euler2DTransform(CENTER[2], 0.3, (1.0, 2.0)),
    "Similarity2DTransform": lambda: sitk.Similarity2DTransform(1.2, 0.3, (1.0, 2.0), CENTER[2]),
    "Euler3DTransform": lambda: sitk.Euler3DTransform(CENTER[3], 0.3, -0.4, 0.5, (1.0, 2.0, 3.0)),
    "VersorTransform": lambda: versor(sitk.VersorTransform()),
    "VersorRigid3DTransform": lambda: versor(sitk.VersorRigid3DTransform()),
    "Similarity3DTransform": lambda: versor(sitk.Similarity3DTransform()),
    "ScaleVersor3DTransform": lambda: skewed(sitk.ScaleVersor3DTransform(), ()),
    "ScaleSkewVersor3DTransform": lambda: skewed(sitk.ScaleSkewVersor3DTransform(), (0.1, -0.2, 0.3, 0.05, -0.1, 0.2)),
    "ComposeScaleSkewVersor3DTransform": lambda: skewed(sitk.ComposeScaleSkewVersor3DTransform(), (0.1, -0.2, 0.3)),
}


def recovered(family, transform, ndim):
    """θ of the transform, and the largest distance of its map from SimpleITK's, in physical units."""
    moving, fixed = cases.MOVING[ndim], cases.FIXED[ndim]
    theta = itk.theta_of_transforms(family, transform, moving, fixed)
    points = np.random.default_rng(0).uniform(-0.99, 0.99, (50, ndim))
    target = points @ fixed.normalized_to_physical[:-1, :-1].T + fixed.normalized_to_physical[:-1, -1]
    source = family(theta, torch.from_numpy(points)[None])[0].numpy()
    found = source @ moving.normalized_to_physical[:-1, :-1].T + moving.normalized_to_physical[:-1, -1]
    return theta, np.abs(found - cases.mapped_points(transform, target)).max()


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_transform_becomes_its_theta(name):
    transform = LINEAR[name]()
    assert transform.GetName() == name
    if hasattr(transform, "SetCenter"):
        transform.SetCenter(CENTER[transform.GetDimension()])
    if "3D" in name and hasattr(transform, "SetTranslation"):
        transform.SetTranslation((1.0, 2.0, 3.0))
    if name == "Similarity3DTransform":
        transform.SetScale(1.3)
    ndim = transform.GetDimension()
    _, distance = recovered(cases.family_of("affine", ndim), transform, ndim)
    assert distance < 1e-12


VERSORS = [name for name in LINEAR if "Versor" in name or name == "Similarity3DTransform"]


@pytest.mark.parametrize("angle", [-4.0, -2.0, 2.0, np.pi, 4.0, 6.0])
@pytest.mark.parametrize("name", VERSORS)
def test_a_rotation_by_more_than_half_a_turn_is_kept(name, angle):
    transform, family = LINEAR[name](), cases.family_of("affine", 3)
    transform.SetCenter(CENTER[3])
    if hasattr(transform, "SetTranslation"):
        transform.SetTranslation((1.0, 2.0, 3.0))
    transform.SetRotation((0.48, 0.6, 0.64), angle)
    assert recovered(family, transform, 3)[1] < 1e-12
    # SimpleITK takes none of this class out of a composite.
    if name != "ComposeScaleSkewVersor3DTransform":
        composite = sitk.CompositeTransform([LINEAR["Euler3DTransform"](), transform])
        assert recovered(family, composite, 3)[1] < 1e-12


def test_a_scale_that_leaves_the_offset_is_read_as_it_acts():
    transform = sitk.ScaleVersor3DTransform()
    transform.SetCenter(CENTER[3])
    transform.SetTranslation((1.0, 2.0, 3.0))
    before = transform.TransformPoint((0.0, 0.0, 0.0))
    transform.SetScale((1.3, 0.7, 1.1))
    assert transform.TransformPoint((0.0, 0.0, 0.0)) == before
    _, distance = recovered(cases.family_of("affine", 3), transform, 3)
    assert distance < 1e-12


@pytest.mark.parametrize(("angle", "name"), [(1.1, "VersorRigid3DTransform"), (4.0, "AffineTransform")])
def test_a_file_has_the_class_whose_parameters_are_the_map(angle, name, tmp_path):
    transform = sitk.VersorRigid3DTransform((0.48, 0.6, 0.64), angle, (1.0, 2.0, 3.0), CENTER[3])
    itk.write(tmp_path / "turned.tfm", transform)
    found, points = sitk.ReadTransform(str(tmp_path / "turned.tfm")), np.random.default_rng(0).uniform(-9, 9, (9, 3))
    assert found.GetName() == name
    np.testing.assert_allclose(cases.mapped_points(found, points), cases.mapped_points(transform, points), atol=1e-12)


def test_the_order_of_euler_angles_is_that_of_the_transform():
    transform = sitk.Euler3DTransform(CENTER[3], 0.3, -0.4, 0.5, (1.0, 2.0, 3.0))
    transform.SetComputeZYX(True)
    _, distance = recovered(cases.family_of("affine", 3), transform, 3)
    assert distance < 1e-12


def test_the_last_transform_of_a_composite_acts_first():
    parts = [LINEAR["Euler2DTransform"](), sitk.ScaleTransform(2, (2.0, 0.5)), LINEAR["Similarity2DTransform"]()]
    family = cases.family_of("affine", 2)
    theta, distance = recovered(family, sitk.CompositeTransform(parts), 2)
    assert distance < 1e-12
    reverse, _ = recovered(family, sitk.CompositeTransform(parts[::-1]), 2)
    assert (theta - reverse).abs().max() > 0.05


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("name", ["affine", "similarity", "bspline", "displacement"])
def test_theta_comes_back_from_simpleitk(name, ndim):
    family, theta = cases.family_of(name, ndim), cases.theta_of(name, ndim)
    transform = cases.sitk_transform(itk.transforms_of_theta(family, theta, cases.MOVING[ndim], cases.FIXED[ndim]))
    found, distance = recovered(family, transform, ndim)
    torch.testing.assert_close(found, theta, rtol=0, atol=1e-12)
    assert distance < 1e-12


@pytest.mark.parametrize("suffix", [".tfm", ".txt", ".h5"])
def test_theta_comes_back_from_a_file(suffix, tmp_path):
    family, theta = cases.family_of("bspline", 3), cases.theta_of("bspline", 3)
    itk.write(tmp_path / f"map{suffix}", itk.transforms_of_theta(family, theta, cases.MOVING[3], cases.FIXED[3]))
    found = itk.theta_of_transforms(family, itk.read(tmp_path / f"map{suffix}"), cases.MOVING[3], cases.FIXED[3])
    torch.testing.assert_close(found, theta, rtol=0, atol=1e-12)


def test_a_spline_between_the_pixel_centers_is_refused():
    fixed = cases.FIXED[2]
    spline = sitk.BSplineTransformInitializer(cases.sitk_image(np.zeros(fixed.shape), fixed), (5, 3))
    with pytest.raises(
        InputError, match=r"^BSpline: expected a lattice that covers the fixed image, got one elsewhere$"
    ):
        itk.theta_of_transforms(cases.family_of("bspline", 2), spline, cases.MOVING[2], fixed)


def test_a_registration_that_begins_at_the_identity_has_a_theta():
    fixed, family = cases.FIXED[2], cases.family_of("bspline", 2)
    rows, columns = np.mgrid[:31, :29]
    blob = np.exp(-((rows - 15) ** 2 + (columns - 13) ** 2) / 40)
    moved = np.exp(-((rows - 17) ** 2 + (columns - 12) ** 2) / 40)
    target, source = (cases.sitk_image(array, fixed) for array in (blob, moved))
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMeanSquares()
    method.SetOptimizerAsLBFGSB(numberOfIterations=20)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetInitialTransform(
        cases.sitk_transform(itk.transforms_of_theta(family, family.identity(), fixed, fixed)), inPlace=False
    )
    theta = itk.theta_of_transforms(family, method.Execute(target, source), fixed, fixed)
    bilinear = stnkit.build("sampler", "bilinear")
    ours = stnkit.warp(family, theta, torch.from_numpy(moved)[None, None], bilinear)[0, 0].numpy()
    assert np.abs(ours - blob).mean() < 0.2 * np.abs(moved - blob).mean()


def test_linear_transforms_around_a_spline_go_into_its_theta():
    moving, fixed = cases.MOVING[2], cases.FIXED[2]
    family, theta = cases.family_of("bspline", 2), cases.theta_of("bspline", 2)
    rigid = sitk.Euler2DTransform(CENTER[2], 0.3, (1.0, 2.0))
    spline = cases.sitk_transform(itk.transforms_of_theta(family, theta, fixed.covered_by(moving.shape), fixed))
    _, distance = recovered(family, sitk.CompositeTransform([rigid, spline]), 2)
    assert distance < 1e-12
    _, distance = recovered(family, rigid, 2)
    assert distance < 1e-12


def test_a_dense_field_becomes_the_displacements_of_its_pixels():
    moving, fixed = cases.MOVING[2], cases.FIXED[2]
    tps = itk.transforms_of_theta(cases.family_of("tps", 2), cases.theta_of("tps", 2), moving, fixed)
    family = stnkit.build("transform", "displacement", resolution=list(fixed.shape))
    theta = itk.theta_of_transforms(family, cases.sitk_transform(tps), moving, fixed)
    grid = cases.family_of("tps", 2).grid(cases.theta_of("tps", 2), fixed.shape)
    torch.testing.assert_close(family.grid(theta, fixed.shape), grid, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["bspline", "displacement", "tps"])
def test_source_points_are_those_of_simpleitk(name):
    moving, fixed = cases.MOVING[3], cases.FIXED[3]
    chain = itk.transforms_of_theta(cases.family_of(name, 3), cases.theta_of(name, 3), moving, fixed)
    # Some beyond the edge of the fixed image, where ITK's map is the identity.
    physical = cases.FIXED[3].covered_by((5, 6, 7)).index_to_physical
    index = np.random.default_rng(0).uniform(-2, 8, (300, 3))
    target = index @ physical[:-1, :-1].T + physical[:-1, -1]
    points = (target - fixed.normalized_to_physical[:-1, -1]) @ np.linalg.inv(fixed.normalized_to_physical[:-1, :-1]).T
    found = itk.source_points(chain, points, moving, fixed)
    theirs = cases.mapped_points(cases.sitk_transform(chain), target)
    back = np.linalg.inv(moving.normalized_to_physical)
    np.testing.assert_allclose(found, theirs @ back[:-1, :-1].T + back[:-1, -1], atol=1e-12)
    assert (np.abs(points) > 1).any()


def test_the_matrix_of_a_composite_is_that_of_its_points():
    parts = [LINEAR["Euler3DTransform"](), LINEAR["VersorRigid3DTransform"]()]
    matrix = itk.physical_matrix(sitk.CompositeTransform(parts))
    points = np.random.default_rng(0).uniform(-9, 9, (9, 3))
    theirs = cases.mapped_points(sitk.CompositeTransform(parts), points)
    np.testing.assert_allclose(points @ matrix[:-1, :-1].T + matrix[:-1, -1], theirs, atol=1e-12)


def test_a_sequence_may_mix_files_and_live_transforms(tmp_path):
    parts = [LINEAR["Euler3DTransform"](), LINEAR["VersorRigid3DTransform"]()]
    sitk.WriteTransform(parts[0], str(tmp_path / "first.mat"))
    found = itk.physical_matrix([*itk.read(tmp_path / "first.mat"), parts[1]])
    np.testing.assert_array_equal(found, itk.physical_matrix(sitk.CompositeTransform(parts)))


def shear():
    return sitk.AffineTransform((1.0, 0.5, 0.0, 1.0), (0.0, 0.0))


def spline(mesh=(5, 3), order=3):
    made = sitk.BSplineTransform(2, order)
    made.SetTransformDomainMeshSize(mesh)
    return made


NO_LATTICE = "family: expected matrices, or a lattice of cubic B-splines or a field of cells without pinned points"


@pytest.mark.parametrize(
    ("name", "transform", "message"),
    [
        ("similarity", shear, "Similarity.from_matrix: expected the matrix of a map of this family"),
        ("affine", spline, "expected linear transforms, got BSplineTransform_double_2_2"),
        (
            "displacement",
            spline,
            "Displacement: expected a DisplacementFieldTransform, got BSplineTransform_double_2_2",
        ),
        ("displacement", shear, "Displacement: expected the transform of a θ of this family, got one that differs by "),
        ("bspline", lambda: spline((4, 3)), "BSpline: expected a lattice of [6, 8] points, got [6, 7]"),
        ("bspline", lambda: spline(order=2), "BSplineTransform: expected splines of order 3, got order 2"),
        (
            "bspline",
            lambda: sitk.CompositeTransform([spline(), spline()]),
            "transform: expected one that is not linear, got 2",
        ),
        ("tps", shear, f"{NO_LATTICE}, got ThinPlateSpline; for another family, family.fit(points, source) gives θ, "),
        ("affine", lambda: sitk.Transform(3, sitk.sitkIdentity), "moving: expected a geometry of 3 dimensions, got "),
        (
            "affine",
            lambda: itk.Transform("AffineTransform", 2, np.zeros(5), np.zeros(2)),
            "AffineTransform_double_2_2: expected 6 parameters, got 5",
        ),
        (
            "bspline",
            lambda: itk.Transform("BSplineTransform", 2, np.zeros(96), np.zeros(2)),
            "BSplineTransform_double_2_2: expected 10 fixed parameters, got 2",
        ),
        (
            "bspline",
            lambda: itk.Transform("BSplineTransform", 2, np.zeros(36), np.array([6.0, 3, 0, 0, 1, 1, 1, 0, 0, 1])),
            "BSplineTransform_double_2_2: expected a lattice of at least 4 points along each axis, got [6.0, 3.0]",
        ),
        (
            "displacement",
            lambda: itk.Transform("DisplacementFieldTransform", 2, np.zeros(36), np.array([9.0, 1e300, *range(8)])),
            "DisplacementFieldTransform_double_2_2: expected a lattice of at least 1 points along each axis, got [",
        ),
        (
            "displacement",
            lambda: itk.Transform(
                "DisplacementFieldTransform", 2, np.zeros(9), np.array([9.0, 5, 0, 0, 1, 1, 1, 0, 0, 1])
            ),
            "DisplacementFieldTransform_double_2_2: expected 2 parameters for each of 45 points, got 9",
        ),
        ("affine", lambda: object(), "transform: expected a transform with GetName, "),
    ],
)
def test_a_transform_that_is_none_of_the_family_is_refused(name, transform, message):
    with pytest.raises(InputError) as caught:
        itk.theta_of_transforms(cases.family_of(name, 2), transform(), cases.MOVING[2], cases.MOVING[2])
    assert str(caught.value).startswith(message)


def test_a_spline_with_pinned_points_is_sent_to_a_fit():
    family, image = stnkit.build("transform", "bspline", pinned="borders"), cases.MOVING[2]
    with pytest.raises(InputError) as caught:
        itk.theta_of_transforms(family, shear(), moving=image, fixed=image)
    told = f"{NO_LATTICE}, got BSpline; for another family, family.fit(points, source) gives θ"
    assert str(caught.value).startswith(told)
