"""A distortion of a whole data set of digits: image by image, as data pipelines do it, and in stnkit's batches."""

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import stnkit

BATCH = 256


def per_image_pil(images: Tensor, theta: Tensor, out_size: tuple[int, int] | None = None) -> Tensor:
    """PIL's affine transform of one image after the other, each made a tensor then.

    Args:
        images: (N, 1, H, W), uint8.
        theta: (N, 6), as stnkit's affine family takes it.
        out_size: (H, W) of the result, by default that of the images.

    Returns:
        (N, 1, *out_size) with values in [0, 1]; in between they are rounded to bytes.
    """
    height, width = out_size or images.shape[-2:]
    coefficients = _pixels(theta, tuple(images.shape[-2:]), (height, width), center=0.0)[:, :2].reshape(-1, 6)
    distorted = []
    for image, row in zip(images[:, 0], coefficients.tolist(), strict=True):
        picture = Image.fromarray(image.numpy())
        picture = picture.transform((width, height), Image.Transform.AFFINE, row, Image.Resampling.BILINEAR)
        distorted.append(torch.from_numpy(np.array(picture)).float().div(255))
    return torch.stack(distorted)[:, None]


def per_image_skimage(images: Tensor, theta: Tensor, out_size: tuple[int, int] | None = None) -> Tensor:
    """scikit-image's `warp` of one image after the other, linear, each made a tensor then.

    Args:
        images: (N, 1, H, W), uint8.
        theta: (N, 6), as stnkit's affine family takes it.
        out_size: (H, W) of the result, by default that of the images.

    Returns:
        (N, 1, *out_size) with values in [0, 1].
    """
    from skimage.transform import AffineTransform, warp  # the other contenders do without

    shape = tuple(out_size or images.shape[-2:])
    matrices = _pixels(theta, tuple(images.shape[-2:]), shape, center=0.5)
    distorted = []
    for image, matrix in zip(images[:, 0], matrices, strict=True):
        warped = warp(image.numpy(), AffineTransform(matrix), output_shape=shape, order=1)
        distorted.append(torch.from_numpy(warped).float())
    return torch.stack(distorted)[:, None]


def in_batches(images: Tensor, distortion: stnkit.Distortion, theta: Tensor) -> Tensor:
    """stnkit's distortion of all images, in batches of 256, as training does it.

    Args:
        images: (N, C, H, W), uint8.
        distortion: warps.
        theta: one row for each image.

    Returns:
        (N, C, *out_size) with values in [0, 1].
    """
    generator = torch.Generator().manual_seed(0)
    parts = zip(images.split(BATCH), theta.split(BATCH), strict=True)
    return torch.cat([distortion.apply(part.float().div_(255), rows, generator) for part, rows in parts])


def _pixels(theta: Tensor, in_size: tuple[int, ...], out_size: tuple[int, ...], center: float) -> NDArray[np.float64]:
    """θ as matrices from pixels (x, y, 1) of the result to pixels of the image.

    Args:
        theta: (N, 6), in normalized units, which span the outer edges.
        in_size: (H, W) of the image.
        out_size: (H, W) of the result.
        center: the distance from the outer edge at which the first pixel has coordinate 0.
    """
    matrix = np.tile(np.eye(3), (len(theta), 1, 1))
    matrix[:, :2] = theta.double().numpy().reshape(-1, 2, 3)
    (height, width), (out_height, out_width) = in_size, out_size
    normalized = np.array([[2 / out_width, 0, -1], [0, 2 / out_height, -1], [0, 0, 1]])
    pixels = np.array([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]])
    to_edge, from_edge = np.eye(3), np.eye(3)
    to_edge[:2, 2], from_edge[:2, 2] = center, -center
    return from_edge @ pixels @ matrix @ normalized @ to_edge
