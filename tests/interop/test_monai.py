"""With MONAI 1.6.1."""

import monai
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.networks.blocks import Warp
from monai.networks.layers import AffineTransform
from monai.transforms import Affine, ResampleToMatch, SpatialResample

import stnkit
from stnkit import interop
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

SIZES = {2: (IMAGE, IN, OUT), 3: (VOXELS, VOLUME, OUT_VOLUME)}
# MONAI says so where its compiled extension is not built.
pytestmark = pytest.mark.filterwarnings(
    "ignore:monai.networks.blocks.Warp. Using PyTorch native grid_sample:UserWarning"
)


def batch(image):
    return torch.tensor(image)[None, None]


def test_the_version_is_the_one_that_the_module_describes():
    assert monai.__version__.startswith("1.6.")


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_affine_layer_shows_the_picture_of_stnkit(ndim, padding):
    family, theta = affine(ndim)
    image, _, out_size = SIZES[ndim]
    layer = AffineTransform(out_size, normalized=True, align_corners=False, padding_mode=padding)
    shown = layer(batch(image), interop.monai.affine_layer(family, theta))
    assert error(shown[0, 0], warped(family, theta, image, out_size, padding)) < 1e-13


def test_an_axis_of_one_pixel_fades_half_as_fast_in_monai():
    family, image = stnkit.build("transform", "translation"), np.ones((1, 4))
    theta = torch.tensor([[0.0, 1.0]])  # half a pixel down
    matrix = interop.monai.affine(family, theta, (1, 4), (1, 4))[0]
    shown = Affine(affine=matrix, padding_mode="zeros", image_only=True)(batch(image)[0])
    assert warped(family, theta.double(), image, (1, 4)) == pytest.approx(0.5)
    assert shown.numpy() == pytest.approx(0.75)


def test_projective_maps_are_refused_which_monai_takes_as_affine():
    family, theta = projective()
    message = r"^theta: expected affine maps, got a projective one in row 0: use monai\.warp_field$"
    for conversion in (interop.monai.affine_layer, lambda *map_: interop.monai.affine(*map_, IN, OUT)):
        with pytest.raises(stnkit.errors.InputError, match=message):
            conversion(family, theta)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_the_affine_transform_shows_the_picture_of_stnkit(ndim, padding):
    family, theta = affine(ndim)
    image, in_size, out_size = SIZES[ndim]
    matrix = interop.monai.affine(family, theta, in_size, out_size)[0]
    transform = Affine(affine=matrix, spatial_size=out_size, padding_mode=padding, image_only=True)
    assert error(transform(batch(image)[0])[0], warped(family, theta, image, out_size, padding)) < 1e-5


@pytest.mark.parametrize(("padding", "theirs"), [("zeros", "zeros"), ("border", "border"), ("mirror", "reflection")])
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_warp_shows_the_picture_of_stnkit(ndim, padding, theirs):
    family, theta = tps() if ndim == 2 else affine(3)
    image, size, _ = SIZES[ndim]
    shown = Warp(padding_mode=theirs)(batch(image), interop.monai.warp_field(family, theta, size))
    assert error(shown[0, 0], warped(family, theta, image, size, padding)) < 1e-13


@pytest.mark.parametrize("guess", ["x first", "the default", "aligned corners"])
def test_a_naive_call_of_the_layer_shows_another_volume(guess):
    family, theta = affine(3)
    matrix = family.matrix(theta) if guess == "x first" else interop.monai.affine_layer(family, theta)
    options = {"normalized": guess != "the default", "align_corners": guess == "aligned corners"}
    shown = AffineTransform(OUT_VOLUME, padding_mode="border", **options)(batch(VOXELS), matrix)
    assert mean_error(shown[0, 0], warped(family, theta, VOXELS, OUT_VOLUME, "border")) > 0.03


@pytest.mark.parametrize("guess", ["x first", "pixel matrix"])
def test_a_naive_matrix_of_the_transform_shows_another_picture(guess):
    family, theta = affine()
    matrix = interop.monai.affine(family, theta, IN, OUT)[0]
    matrix = matrix[[1, 0, 2]][:, [1, 0, 2]] if guess == "x first" else interop.pixel_matrix(family, theta, IN, OUT)[0]
    transform = Affine(affine=matrix, spatial_size=OUT, padding_mode="border", image_only=True)
    assert mean_error(transform(batch(IMAGE)[0])[0], warped(family, theta, IMAGE, OUT, "border")) > 0.05


def test_a_field_of_x_first_shows_another_picture():
    family, theta = tps()
    shown = Warp()(batch(IMAGE), interop.monai.warp_field(family, theta, IN).flip(1))
    assert mean_error(shown[0, 0], warped(family, theta, IMAGE, IN, "border")) > 0.05


@pytest.mark.parametrize("ndim", [2, 3])
def test_theta_of_an_affine_is_the_theta_that_made_it(ndim):
    family, theta = affine(ndim)
    _, in_size, out_size = SIZES[ndim]
    matrix = interop.monai.affine(family, theta, in_size, out_size)
    back = interop.monai.theta_of_affine(family, matrix, in_size, out_size)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-12)


def test_theta_of_the_parameters_of_monai_shows_its_picture():
    options = {"rotate_params": 0.4, "shear_params": (0.1, 0.2), "scale_params": (0.8, 1.1), "translate_params": (2, 3)}
    shown, matrix = Affine(**options, padding_mode="zeros", spatial_size=IN)(batch(IMAGE)[0])
    family = stnkit.build("transform", "affine")
    theta = interop.monai.theta_of_voxel_matrix(family, matrix, IN, IN)
    assert error(shown[0], warped(family, theta, IMAGE, IN)) < 1e-5
    naive = interop.monai.theta_of_affine(family, matrix, IN, IN)
    assert mean_error(shown[0], warped(family, naive, IMAGE, IN)) > 0.1


def test_tensors_for_layers_have_the_gradient_of_theta():
    family, theta = affine()
    theta = theta.float().requires_grad_()
    for converted in (interop.monai.affine_layer(family, theta), interop.monai.warp_field(family, theta, IN)):
        assert converted.dtype == torch.float32
        (gradient,) = torch.autograd.grad(converted.square().sum(), theta)
        assert gradient.abs().min() > 0


@pytest.mark.parametrize("ndim", [2, 3])
def test_theta_of_a_field_is_the_theta_that_made_it(ndim):
    family, theta = tps() if ndim == 2 else affine(3)
    field = interop.monai.warp_field(family, theta, SIZES[ndim][1])
    torch.testing.assert_close(interop.monai.theta_of_field(family, field), theta, rtol=0, atol=1e-9)


@pytest.mark.no_jaxtyping
def test_a_field_of_another_shape_is_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"^field: expected shape \(B, 2, \*size\), got \(1, 3, 4, 5\)$"):
        interop.monai.theta_of_field(affine()[0], torch.zeros(1, 3, 4, 5))


def geometry(size, spacing, seed):
    """The affine of a volume with that spacing and a turned direction, whose center is near the origin of the world."""
    generator = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(generator.normal(size=(3, 3)))[0] * spacing
    affine[:3, 3] = generator.normal(size=3) - affine[:3, :3] @ (np.array(size) - 1) / 2
    return affine


SPACED = MetaTensor(torch.tensor(VOXELS)[None], affine=torch.tensor(geometry(VOLUME, (0.7, 1.3, 2.5), 0)))


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_a_resampled_affine_shows_the_picture_in_the_world(padding):
    family, theta = affine(3)
    (target,) = interop.monai.resampled_affine(family, theta, VOLUME, OUT_VOLUME, SPACED.affine)
    options = {"dst_affine": torch.tensor(target), "spatial_size": OUT_VOLUME}
    shown = SpatialResample(padding_mode=padding)(SPACED, **options)
    assert error(shown[0], warped(family, theta, VOXELS, OUT_VOLUME, padding)) < 1e-5
    back = interop.monai.theta_of_affines(family, SPACED.affine, shown.affine, VOLUME, OUT_VOLUME)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-12)


def slice_geometry():
    """The 4×4 affine of a picture with a spacing, a turn and a place, which the third axis has too."""
    affine = np.diag([0.7, 1.9, 2.5, 1.0])
    affine[:2, :2] = np.array([[0.8, -0.6], [0.6, 0.8]]) @ affine[:2, :2]
    affine[:3, 3] = [4.0, -3.0, 12.0]
    return affine


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_a_picture_is_resampled_in_the_world(padding):
    family, theta = affine()
    image = MetaTensor(torch.tensor(IMAGE)[None], affine=torch.tensor(slice_geometry()))
    assert image.affine.shape == (4, 4)
    (target,) = interop.monai.resampled_affine(family, theta, IN, OUT, image.affine)
    assert target.shape == (4, 4)
    assert target[2].tolist() == [0, 0, 2.5, 12]
    plane = [0, 1, 3]
    (flat,) = interop.monai.resampled_affine(family, theta, IN, OUT, slice_geometry()[plane][:, plane])
    assert np.array_equal(flat, target[plane][:, plane])
    for dst_affine in (target, flat):
        options = {"dst_affine": torch.tensor(dst_affine), "spatial_size": OUT}
        shown = SpatialResample(padding_mode=padding)(image, **options)
        assert error(shown[0], warped(family, theta, IMAGE, OUT, padding)) < 1e-5
    back = interop.monai.theta_of_affines(family, image.affine, torch.tensor(target), IN, OUT)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-12)


def test_the_affine_of_a_picture_without_one_is_its_voxel_matrix():
    family, theta = affine()
    matrix = interop.monai.affine(family, theta, IN, OUT)[0]
    shown = Affine(affine=matrix, spatial_size=OUT, image_only=True)(MetaTensor(torch.tensor(IMAGE)[None]))
    assert shown.affine.shape == (4, 4)
    back = interop.monai.theta_of_voxel_matrix(family, shown.affine, IN, OUT)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-6)


@pytest.mark.parametrize("entry", [(0, 2), (1, 2), (2, 0), (2, 1), (3, 0), (3, 2)])
def test_a_third_axis_that_mixes_with_a_picture_is_refused(entry):
    family, theta = affine()
    tilted = slice_geometry()
    tilted[entry] = 0.1
    message = r": expected a third axis apart from the other two, got one that is mixed with them$"
    with pytest.raises(stnkit.errors.InputError, match=f"^affine{message}"):
        interop.monai.resampled_affine(family, theta, IN, OUT, tilted)
    with pytest.raises(stnkit.errors.InputError, match=f"^out_affine{message}"):
        interop.monai.theta_of_affines(family, np.eye(4), tilted, IN, OUT)
    with pytest.raises(stnkit.errors.InputError, match=f"^matrix{message}"):
        interop.monai.theta_of_voxel_matrix(family, tilted, IN, OUT)


def test_an_affine_without_the_spacing_shows_another_picture():
    family, theta = affine(3)
    (target,) = interop.monai.resampled_affine(family, theta, VOLUME, OUT_VOLUME, np.eye(4))
    shown = SpatialResample()(SPACED, dst_affine=torch.tensor(target), spatial_size=OUT_VOLUME)
    assert mean_error(shown[0], warped(family, theta, VOXELS, OUT_VOLUME, "border")) > 0.1


def test_theta_of_two_geometries_shows_the_image_on_the_other():
    other = geometry(OUT_VOLUME, (1.1, 0.9, 1.7), 1)
    match = MetaTensor(torch.zeros(1, *OUT_VOLUME), affine=torch.tensor(other))
    shown = ResampleToMatch(padding_mode="zeros")(SPACED, match)
    family = stnkit.build("transform", "affine", ndim=3)
    theta = interop.monai.theta_of_affines(family, SPACED.affine, other, VOLUME, OUT_VOLUME)
    ours = warped(family, theta, VOXELS, OUT_VOLUME)
    assert (ours != 0).mean() > 0.1
    assert error(shown[0], ours) < 1e-5
