"""Boxes in pixels: θ of the crop that shows a box, and the box that a θ shows.

A box is (x₀, y₀, x₁, y₁) from the outer edge of the image, as in COCO, Pillow and `roi_align(aligned=True)`: the whole
image is (0, 0, W, H). Boxes that count the last pixel, as in Pascal VOC, are x₀, y₀, x₁ + 1, y₁ + 1 here.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families import TransformFamily
from stnkit.interop.finite import check_finite
from stnkit.interop.pixels import as_array, as_theta, check_ndim, pixels_of
from stnkit.interop.thetas import theta_of_pixel_matrix
from stnkit.numpy_arrays import as_tensor


def theta_of_boxes(
    family: TransformFamily, boxes: Shaped[Tensor | np.ndarray, "B 4"], size: Sequence[int]
) -> Float64[Tensor, "B P"]:
    """The θ whose output shows the box: x ↦ ((x₁ − x₀)·x + x₀ + x₁)/W − 1, and y likewise.

    Args:
        family: one that zooms by one factor on each axis and shifts, such as affine, or attention for boxes of the
            shape of the image.
        boxes: (x₀, y₀, x₁, y₁) in pixels from the outer edge.
        size: (H, W) of the image.

    Raises:
        InputError: when the boxes have another shape, no area or an infinite one, or the family does not hold the map.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.boxes.theta_of_boxes(family, torch.tensor([[2, 0, 6, 4]]), (4, 8))[0].tolist()
        [0.5, 0.0, 0.0, 0.0, 1.0, 0.0]
    """
    check_ndim(family, "boxes")
    corners = as_tensor("boxes", boxes).double()
    if corners.ndim != 2 or corners.shape[1] != 4:
        raise InputError(f"boxes: expected shape (B, 4), got {tuple(corners.shape)}")
    check_finite("boxes", corners)
    first, last = corners[:, :2], corners[:, 2:]
    empty = (~(last > first).all(dim=1)).nonzero().flatten().tolist()
    if empty:
        raise InputError(f"boxes: expected x0 < x1 and y0 < y1, got {corners[empty[0]].tolist()} in row {empty[0]}")
    extent = torch.tensor(coordinates.check_size(size, 2)[::-1], dtype=torch.float64, device=first.device)
    zoom = torch.diag_embed((last - first) / extent)
    crop = coordinates.homogeneous(zoom, (first + last) / extent - 1).cpu()
    to_pixels = pixels_of(size, 2)
    return theta_of_pixel_matrix(family, to_pixels @ crop @ torch.linalg.inv(to_pixels), size, size)


def boxes_of_theta(
    family: TransformFamily, theta: Float[Tensor | np.ndarray, "B P"], size: Sequence[int]
) -> Float64[np.ndarray, "B 4"]:
    """The smallest box that holds the corners of what T_θ shows.

    For a family of crops it is the crop; for others the outline of T_θ may bend out of it.

    Args:
        family: any, in two dimensions.
        theta: one row of parameters for each map.
        size: (H, W) of the image.

    Raises:
        InputError: when θ or the size has the wrong shape.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.boxes.boxes_of_theta(family, torch.tensor([[0.5, 0, 0, 0, 1, 0]]), (4, 8)).tolist()
        [[2.0, 0.0, 6.0, 4.0]]
    """
    check_ndim(family, "boxes")
    theta, size = as_theta(theta), coordinates.check_size(size, 2)
    corners = coordinates.corners(2, device=theta.device)[None]
    with torch.no_grad():
        edges = coordinates.to_pixels(family(theta, corners).double(), size) + 0.5
    return as_array(torch.cat([edges.amin(dim=1), edges.amax(dim=1)], dim=1))
