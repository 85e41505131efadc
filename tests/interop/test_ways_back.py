"""Each way back to θ: the picture that a tool makes of its own numbers is that of the θ which we read from them.

The numbers are written down here in the convention of the tool, and no function that leads to the tool has made them.
Beside each way is a naive reading of the same numbers, whose picture is another one.
"""

import inspect
from typing import NamedTuple

import cv2
import kornia.geometry.transform as kt
import numpy as np
import pytest
import SimpleITK as sitk
import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from monai.networks.blocks import Warp
from monai.transforms import Affine, SpatialResample
from PIL import Image
from scipy import ndimage
from skimage.transform import ProjectiveTransform, warp

import stnkit
from stnkit import interop
from tests.interop.pictures import IMAGE, IN, OUT, error, inside, mean_error, warped

# MONAI says so where its compiled extension is not built.
pytestmark = pytest.mark.filterwarnings(
    "ignore:monai.networks.blocks.Warp. Using PyTorch native grid_sample:UserWarning"
)

# Output → input between centers of pixels, x first; a part of the output is outside of the image.
H = np.array([[1.15, 0.25, -2.5], [-0.2, 0.8, 4.0], [0.002, -0.003, 1.0]])
A = np.array([[1.15, 0.25, -2.5], [-0.2, 0.8, 4.0], [0.0, 0.0, 1.0]])
FAMILY = stnkit.build("transform", "projective")
SINGLE, BATCH = IMAGE.astype(np.float32), torch.tensor(IMAGE)[None, None]
FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def mapped(matrix, size):
    """The pixel of the input for each of the output, x first."""
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    image = np.stack([x, y, np.ones_like(x)], axis=-1) @ matrix.T
    return image[..., :2] / image[..., 2:]


P, Q = mapped(H, OUT), mapped(H, IN)  # Q for tools whose output has the size of the input
ROWS_FIRST = A[[1, 0, 2]][:, [1, 0, 2]]
CENTERED = (
    np.linalg.inv(np.array([[1, 0, 11], [0, 1, 18], [0, 0, 1]]))
    @ ROWS_FIRST
    @ np.array([[1, 0, 15], [0, 1, 14], [0, 0, 1]])
)  # (n − 1)/2 of 23 × 37 and of 31 × 29
SHIFT_TO_EDGES = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
FROM_EDGES = SHIFT_TO_EDGES @ H @ np.linalg.inv(SHIFT_TO_EDGES)
PIL_DATA = (FROM_EDGES / FROM_EDGES[2, 2]).ravel()[:8]
ALIGNED = 2 * P / (np.array(IN[::-1]) - 1) - 1
ALIGNED_ROWS = torch.tensor([[[0.8, 0.2, 0.15], [-0.3, 0.9, -0.1]]], dtype=torch.float64)
FIELD = torch.tensor(np.moveaxis((Q - mapped(np.eye(3), IN))[..., ::-1], -1, 0).copy())[None]
SPACING, OUT_SPACING = np.diag([0.7, 1.3, 1.0]), np.array([[0.6, 0.1, 1.0], [-0.1, 1.5, -2.0], [0, 0, 1.0]])
BOX = torch.tensor([[3, 5, 13, 11]])
MOVING, FIXED = interop.itk.Geometry((37, 23), (0.7, 1.3)), interop.itk.Geometry((29, 31), (0.8, 1.1), (1.0, 2.0))
RIGID = sitk.CompositeTransform(
    [sitk.Euler2DTransform((9.0, 8.0), 0.3, (1.0, 2.0)), sitk.ScaleTransform(2, (0.8, 1.2))]
)


class WayBack(NamedTuple):
    """A picture of a tool, and two readings of its numbers.

    Args:
        picture: by the tool.
        theta: by the way back, of projective.
        naive: another θ.
        tolerance: of the picture.
        size: of the output.
        at_border: True if the tool has the border of stnkit's zeros.
    """

    picture: object
    theta: object
    naive: object
    tolerance: float = 1e-12
    size: tuple = OUT
    at_border: bool = True


def of_sitk():
    moving = sitk.GetImageFromArray(IMAGE)
    moving.SetSpacing(MOVING.spacing)
    return sitk.GetArrayFromImage(
        sitk.Resample(moving, FIXED.size, RIGID, sitk.sitkLinear, FIXED.origin, FIXED.spacing, FIXED.direction, 0.0)
    )


def of_monai():
    return Affine(affine=CENTERED, spatial_size=OUT, padding_mode="zeros")(BATCH[0])


def resampled_by_monai():
    image = MetaTensor(BATCH[0], affine=torch.tensor(np.insert(np.insert(SPACING, 2, 0, 0), 2, [0, 0, 1, 0], 1)))
    target = torch.tensor(np.insert(np.insert(OUT_SPACING, 2, 0, 0), 2, [0, 0, 1, 0], 1))
    return SpatialResample(padding_mode="zeros")(image, dst_affine=target, spatial_size=OUT)[0]


def by_pillow():
    transform = Image.Transform.PERSPECTIVE
    return np.asarray(Image.fromarray(SINGLE).transform(OUT[::-1], transform, PIL_DATA, Image.Resampling.BILINEAR))


def of_matrix(matrix, size=OUT):
    return interop.theta_of_pixel_matrix(FAMILY, matrix, IN, size)


WAYS = {
    "theta_of_pixel_matrix": WayBack(
        lambda: warp(IMAGE, H, output_shape=OUT, order=1, clip=False),
        lambda: of_matrix(H),
        lambda: of_matrix(np.linalg.inv(H)),
    ),
    "theta_of_pixel_map": WayBack(
        lambda: ndimage.map_coordinates(IMAGE, np.moveaxis(P[..., ::-1], -1, 0), order=1, mode="grid-constant"),
        lambda: interop.theta_of_pixel_map(FAMILY, P, IN),
        lambda: interop.theta_of_pixel_map(FAMILY, P - 0.5, IN),
        1e-8,
    ),
    "opencv.theta_of_matrix": WayBack(
        lambda: cv2.warpPerspective(SINGLE, H, OUT[::-1], flags=FLAGS),
        lambda: interop.opencv.theta_of_matrix(FAMILY, H, IN, OUT),
        lambda: interop.opencv.theta_of_matrix(FAMILY, H, IN, OUT, inverse_map=False),
        1e-5,
    ),
    "opencv.theta_of_maps": WayBack(
        lambda: cv2.remap(SINGLE, *np.moveaxis(P, -1, 0).astype(np.float32), cv2.INTER_LINEAR),
        lambda: interop.opencv.theta_of_maps(FAMILY, *np.moveaxis(P, -1, 0).astype(np.float32), IN),
        lambda: interop.opencv.theta_of_maps(FAMILY, *np.moveaxis(P, -1, 0)[::-1].astype(np.float32), IN),
        1e-4,
    ),
    "scikit_image.theta_of_transform": WayBack(
        lambda: warp(IMAGE, ProjectiveTransform(matrix=H), output_shape=OUT, order=1, clip=False),
        lambda: interop.scikit_image.theta_of_transform(FAMILY, ProjectiveTransform(matrix=H), IN, OUT),
        lambda: interop.scikit_image.theta_of_transform(FAMILY, ProjectiveTransform(matrix=H).inverse, IN, OUT),
    ),
    "scipy.theta_of_affine": WayBack(
        lambda: ndimage.affine_transform(
            IMAGE, ROWS_FIRST[:2, :2], ROWS_FIRST[:2, 2], output_shape=OUT, order=1, mode="grid-constant"
        ),
        lambda: interop.scipy.theta_of_affine(FAMILY, ROWS_FIRST[:2, :2], ROWS_FIRST[:2, 2], IN, OUT),
        lambda: of_matrix(ROWS_FIRST),
    ),
    "scipy.theta_of_coordinates": WayBack(
        lambda: ndimage.map_coordinates(IMAGE, np.moveaxis(P[..., ::-1], -1, 0), order=1, mode="grid-constant"),
        lambda: interop.scipy.theta_of_coordinates(FAMILY, np.moveaxis(P[..., ::-1], -1, 0), IN),
        lambda: interop.scipy.theta_of_coordinates(FAMILY, np.moveaxis(P, -1, 0), IN),
        1e-8,
    ),
    "pillow.theta_of_coefficients": WayBack(
        by_pillow,
        lambda: interop.pillow.theta_of_coefficients(FAMILY, PIL_DATA, IN, OUT),
        lambda: of_matrix(np.append(PIL_DATA, 1).reshape(3, 3)),
        1e-5,
        at_border=False,
    ),
    "kornia.theta_of_matrix": WayBack(
        lambda: kt.warp_perspective(BATCH, torch.tensor(np.linalg.inv(H))[None], OUT)[0, 0],
        lambda: interop.kornia.theta_of_matrix(FAMILY, np.linalg.inv(H), IN, OUT),
        lambda: of_matrix(np.linalg.inv(H)),
    ),
    "kornia.theta_of_maps": WayBack(
        lambda: kt.remap(BATCH, *torch.tensor(P[None]).unbind(-1), align_corners=True)[0, 0],
        lambda: interop.kornia.theta_of_maps(FAMILY, *torch.tensor(P).unbind(-1), IN),
        lambda: interop.kornia.theta_of_maps(FAMILY, *torch.tensor(P[..., ::-1].copy()).unbind(-1), IN),
        1e-8,
    ),
    "monai.theta_of_affine": WayBack(
        lambda: of_monai()[0][0],
        lambda: interop.monai.theta_of_affine(FAMILY, CENTERED, IN, OUT),
        lambda: interop.monai.theta_of_voxel_matrix(FAMILY, CENTERED, IN, OUT),
        1e-5,
    ),
    "monai.theta_of_voxel_matrix": WayBack(
        lambda: of_monai()[0][0],
        lambda: interop.monai.theta_of_voxel_matrix(FAMILY, of_monai()[1], IN, OUT),
        lambda: interop.monai.theta_of_affine(FAMILY, of_monai()[1], IN, OUT),
        1e-5,
    ),
    "monai.theta_of_affines": WayBack(
        lambda: resampled_by_monai(),
        lambda: interop.monai.theta_of_affines(FAMILY, SPACING, OUT_SPACING, IN, OUT),
        lambda: interop.monai.theta_of_affines(FAMILY, OUT_SPACING, SPACING, IN, OUT),
        1e-5,
    ),
    "monai.theta_of_field": WayBack(
        lambda: Warp(padding_mode="zeros")(BATCH, FIELD)[0, 0],
        lambda: interop.monai.theta_of_field(FAMILY, FIELD),
        lambda: interop.monai.theta_of_field(FAMILY, FIELD.flip(1), 1e3),
        1e-8,
        IN,
    ),
    "align_corners.theta_of_affine_grid": WayBack(
        lambda: F.grid_sample(BATCH, F.affine_grid(ALIGNED_ROWS, [1, 1, *OUT], align_corners=True), align_corners=True)[
            0, 0
        ],
        lambda: interop.align_corners.theta_of_affine_grid(FAMILY, ALIGNED_ROWS, IN, OUT),
        lambda: FAMILY.from_matrix(stnkit.coordinates.with_last_row(ALIGNED_ROWS)),
    ),
    "align_corners.theta_of_grid": WayBack(
        lambda: F.grid_sample(BATCH, torch.tensor(ALIGNED[None]), align_corners=True)[0, 0],
        lambda: interop.align_corners.theta_of_grid(FAMILY, ALIGNED[None], IN),
        lambda: interop.theta_of_pixel_map(FAMILY, (ALIGNED + 1) / 2 * np.array(IN[::-1]) - 0.5, IN),
        1e-8,
    ),
    "boxes.theta_of_boxes": WayBack(
        lambda: np.asarray(Image.fromarray(SINGLE).crop(BOX[0].tolist())),
        lambda: interop.boxes.theta_of_boxes(FAMILY, BOX, IN),
        lambda: interop.boxes.theta_of_boxes(FAMILY, BOX - torch.tensor([0, 0, 1, 1]), IN),
        1e-6,
        (6, 10),
    ),
    "itk.theta_of_transforms": WayBack(
        of_sitk,
        lambda: interop.itk.theta_of_transforms(FAMILY, RIGID, MOVING, FIXED),
        lambda: interop.itk.theta_of_transforms(FAMILY, RIGID, FIXED, MOVING),
        at_border=False,
    ),
}
# With the fixture of torchvision, in test_torchvision.py: the test and the counter-test of each.
WITH_TORCHVISION = {
    "torchvision.theta_of_affine": (
        "test_theta_of_affine_shows_the_picture_of_torchvision",
        "test_a_naive_theta_of_affine_shows_another_picture",
    ),
    "torchvision.theta_of_field": (
        "test_theta_of_a_field_shows_the_picture_of_torchvision",
        "test_a_field_read_in_pixels_shows_another_picture",
    ),
}


@pytest.mark.parametrize("name", WAYS)
def test_theta_shows_the_picture_of_the_numbers_of_a_tool(name):
    way = WAYS[name]
    theta = way.theta()
    where = inside(interop.pixel_map(FAMILY, theta, IN, way.size)[0], IN)
    assert 0.3 < where.mean() < 1 or name.startswith("boxes")
    picture, ours = np.asarray(way.picture()), warped(FAMILY, theta, IMAGE, way.size)
    where |= way.at_border
    assert error(picture[where], ours[where]) < way.tolerance


@pytest.mark.parametrize("name", WAYS)
def test_a_naive_reading_of_the_numbers_shows_another_picture(name):
    way = WAYS[name]
    assert mean_error(way.picture(), warped(FAMILY, way.naive(), IMAGE, way.size)) > 0.03


def test_every_way_back_has_a_test_and_a_counter_test():
    modules = {f"{name}.": module for name, module in vars(interop).items() if inspect.ismodule(module)}
    names = {
        prefix + name
        for prefix, module in {"": interop, **{k: m for k, m in modules.items() if k[:-1] in interop.__all__}}.items()
        for name, function in vars(module).items()
        if name.startswith("theta_of_")
        and callable(function)
        and (not prefix or function.__module__.startswith(f"stnkit.interop.{prefix[:-1]}"))
    }
    assert names == {*WAYS, *WITH_TORCHVISION}
    from tests.interop import test_torchvision

    assert all(hasattr(test_torchvision, test) for tests in WITH_TORCHVISION.values() for test in tests)
