"""Pillow: `Image.transform` with `AFFINE` and `PERSPECTIVE`.

Pillow counts pixels from the outer edge, so that the center of pixel 0 is at 0.5. With BILINEAR and an image of mode F
pictures agree with stnkit within 1e-6 of their range wherever a point is among the centers of pixels. From there to the
edge, half a pixel, Pillow repeats the outermost pixel, where stnkit's zeros fade, and beyond it is `fillcolor`. Of
mode L, RGB and the others of whole numbers Pillow cuts off the fraction: up to 1/255 darker. Of mode I;16 its
interpolation is wrong: convert such images to I or F.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from stnkit.errors import InputError
from stnkit.families import TransformFamily
from stnkit.interop.finite import check_finite
from stnkit.interop.matrices import affine_rows, eight_numbers, from_edges, to_edges
from stnkit.interop.pixels import as_array, check_ndim, matrix_between
from stnkit.interop.thetas import theta_of_pixel_matrix
from stnkit.numpy_arrays import as_tensor

TOOL = "Pillow"


def affine(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[np.ndarray, "B 6"]:
    """Two rows of S·M·S⁻¹, with S the shift by half a pixel.

    `image.transform((W_out, H_out), Image.Transform.AFFINE, data[0], Image.Resampling.BILINEAR)`

    Args:
        family: of affine matrices, in two dimensions.
        theta: one row of parameters for each matrix.
        in_size: (H, W) of the image that is read.
        out_size: (H, W) of the output.

    Raises:
        InputError: when the maps are not affine.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.pillow.affine(family, family.identity()[None], (10, 20), (5, 10))[0].tolist()
        [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]
    """
    check_ndim(family, TOOL)
    matrix = to_edges(matrix_between(family, theta, in_size, out_size))
    return as_array(affine_rows(matrix, "pillow.perspective").flatten(1))


def perspective(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[np.ndarray, "B 8"]:
    """The first eight numbers of S·M·S⁻¹, with the ninth 1.

    `image.transform((W_out, H_out), Image.Transform.PERSPECTIVE, data[0], Image.Resampling.BILINEAR)`

    Args:
        family: of matrices, in two dimensions.
        theta: one row of parameters for each matrix.
        in_size: (H, W) of the image that is read.
        out_size: (H, W) of the output.

    Raises:
        InputError: when the family is not one of matrices, or the upper left corner of the output is on the horizon,
            where the ninth number is 0.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "projective")
        >>> stnkit.interop.pillow.perspective(family, family.identity()[None], (10, 20), (5, 10))[0].tolist()
        [2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0]
    """
    check_ndim(family, TOOL)
    return eight_numbers(to_edges(matrix_between(family, theta, in_size, out_size)))


def theta_of_coefficients(
    family: TransformFamily,
    data: Shaped[Tensor | np.ndarray, "*batch numbers"] | Sequence[float],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[Tensor, "B P"]:
    """The θ of the six numbers of AFFINE or the eight of PERSPECTIVE.

    Args:
        family: one that holds the map.
        data: six or eight numbers, or a batch of them.
        in_size: (H, W) of the image that is read.
        out_size: (H, W) of the output.

    Raises:
        InputError: when they are not six or eight finite numbers, or are no map of the family.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.pillow.theta_of_coefficients(family, (1, 0, 4, 0, 1, 0), (4, 8), (4, 8))
        tensor([[1., 0.]], dtype=torch.float64)
    """
    check_ndim(family, TOOL)
    try:
        data = data if isinstance(data, Tensor) else np.asarray(data)
    except ValueError:  # rows of several lengths
        raise InputError(f"data: expected 6 or 8 numbers, or a batch of them, got {data!r}") from None
    numbers = as_tensor("data", data).double()
    if numbers.ndim not in (1, 2) or numbers.shape[-1] not in (6, 8):
        raise InputError(f"data: expected 6 or 8 numbers, or a batch of them, got shape {tuple(numbers.shape)}")
    numbers = numbers if numbers.ndim == 2 else numbers[None]
    check_finite("data", numbers)
    last = numbers.new_tensor([0.0, 0.0, 1.0])[numbers.shape[-1] - 6 :].expand(len(numbers), -1)
    matrix = torch.cat([numbers, last], dim=1).view(-1, 3, 3)
    return theta_of_pixel_matrix(family, from_edges(matrix), in_size, out_size)
