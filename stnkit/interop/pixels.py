"""Maps between pixel indices: the room that the modules of all tools share.

A pixel index is (x, y) or (x, y, z), x along the last axis of the image, and whole numbers are centers of pixels, 0 the
first: the convention of OpenCV, scikit-image, SciPy and most others. Maps go from the output to the input.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families import MatrixFamily, TransformFamily


def pixel_matrix(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[np.ndarray, "B rows rows"]:
    """M = N_in⁻¹ · A · N_out: the matrix A of T_θ between pixel indices, output → input.

    N takes a pixel index (x, y, 1) to the normalized point. M has the scale of A, so that points behind the horizon,
    which stnkit reads outside of the image, have w ≤ 0; tools divide by w whatever its sign.

    Args:
        family: of matrices.
        theta: one row of parameters for each matrix.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the family is not one of matrices, θ has the wrong shape, or a size is not one number for each
            of its dimensions.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.pixel_matrix(family, family.identity()[None], (10, 20), (5, 10))[0].tolist()
        [[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]]
    """
    if not isinstance(family, MatrixFamily):
        raise InputError(
            f"family: expected one of matrices, got {type(family).__name__}; pixel_map holds its maps point by point"
        )
    inward, outward = normalizing(in_size, family.ndim), normalizing(out_size, family.ndim)
    return np.linalg.inv(inward) @ _numbers(family.matrix(as_theta(theta))) @ outward


def pixel_map(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[np.ndarray, "B *out_size ndim"]:
    """The pixel index of the input, x first, that T_θ reads for each pixel of the output.

    Points behind a horizon, and points that are not finite, are far outside: at 10⁴ in normalized coordinates.

    Args:
        family: any.
        theta: one row of parameters for each map.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when θ has the wrong shape, or a size is not one number for each dimension of the family.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.pixel_map(family, family.identity()[None], (4, 6), (1, 3))[0, 0].round(9).tolist()
        [[0.5, 1.5], [2.5, 1.5], [4.5, 1.5]]
    """
    in_size = coordinates.check_size(in_size, family.ndim)
    with torch.no_grad():
        return _numbers(coordinates.to_pixels(family.grid(as_theta(theta), out_size), in_size))


def normalizing(size: Sequence[int], ndim: int) -> Float64[np.ndarray, "rows rows"]:
    """N: the matrix that takes pixel indices (x, y, 1) of an image to normalized points.

    Args:
        size: of the image, (H, W) or (D, H, W).
        ndim: number of its dimensions.

    Raises:
        InputError: when the size is not `ndim` whole numbers.

    Example:
        >>> import stnkit
        >>> stnkit.interop.pixels.normalizing((2, 4), 2).tolist()
        [[0.5, 0.0, -0.75], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]]
    """
    extent = np.array(coordinates.check_size(size, ndim)[::-1], dtype=np.float64)
    matrix = np.diag(np.append(2 / extent, 1.0))
    matrix[:-1, -1] = 1 / extent - 1
    return matrix


def as_theta(theta: Float[Tensor | np.ndarray, "B P"]) -> Float64[Tensor, "B P"]:
    """θ of a tensor or an array, in float64 and without a gradient.

    Args:
        theta: one row of parameters for each map.

    Raises:
        InputError: when it is neither.

    Example:
        >>> import numpy as np, stnkit
        >>> stnkit.interop.pixels.as_theta(np.zeros((1, 2)))
        tensor([[0., 0.]], dtype=torch.float64)
    """
    if not isinstance(theta, Tensor | np.ndarray):
        raise InputError(f"theta: expected a tensor or an array of NumPy, got {type(theta).__name__}")
    given = torch.as_tensor(theta).detach()
    return given.double() if given.is_floating_point() else given  # the family refuses other dtypes


def _numbers(tensor: Tensor) -> Float64[np.ndarray, "*any"]:
    return tensor.detach().double().cpu().numpy()
