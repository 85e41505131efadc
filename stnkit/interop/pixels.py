"""Maps between pixel indices: the room that the modules of all tools share.

A pixel index is (x, y) or (x, y, z), x along the last axis of the image, and whole numbers are centers of pixels, 0 the
first: the convention of OpenCV, scikit-image, SciPy and most others. Maps go from the output to the input.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families import TransformFamily, matrix_form
from stnkit.families.given import check_family
from stnkit.numpy_arrays import as_tensor


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
    return as_array(matrix_between(family, theta, in_size, out_size))


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
    check_family(family)
    in_size = coordinates.check_size(in_size, family.ndim)
    with torch.no_grad():
        return as_array(coordinates.to_pixels(family.grid(as_theta(theta).double(), out_size), in_size))


def matrix_between(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
    instead: str = "pixel_map",
) -> Float64[Tensor, "B rows rows"]:
    """The M of `pixel_matrix` as a tensor, differentiable in θ.

    Args:
        family: of matrices.
        theta: one row of parameters for each matrix.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.
        instead: the function for families of other maps, for the message.

    Raises:
        InputError: as `pixel_matrix`.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.pixels.matrix_between(family, torch.tensor([[1.0, 0.0]]), (4, 6), (4, 6))[0, 0]
        tensor([1., 0., 3.], dtype=torch.float64)
    """
    matrix = normalized_matrix_of(family, theta, instead)
    to_pixels = pixels_of(in_size, family.ndim).to(matrix.device)
    from_pixels = torch.linalg.inv(pixels_of(out_size, family.ndim)).to(matrix.device)
    with coordinates.full_precision(matrix):
        return to_pixels @ matrix @ from_pixels


def normalized_matrix_of(
    family: TransformFamily, theta: Float[Tensor | np.ndarray, "B P"], instead: str = "pixel_map"
) -> Float64[Tensor, "B rows rows"]:
    """A: the matrix of T_θ between normalized points, differentiable in θ.

    Args:
        family: of matrices, or `compose` or `bounded` of such families.
        theta: one row of parameters for each matrix.
        instead: the function for families of other maps, for the message.

    Raises:
        InputError: when the family is not one of matrices, stages before the first have a horizon in the output, or θ
            has the wrong shape.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.pixels.normalized_matrix_of(family, torch.tensor([[1.0, 0.0]]))[0, 0]
        tensor([1., 0., 1.], dtype=torch.float64)
    """
    check_family(family)
    matrix = matrix_form(family, as_theta(theta))
    if matrix is not None:
        return matrix
    if matrix_form(family, family.identity()[None]) is None:
        raise InputError(f"family: expected one of matrices, got {type(family).__name__}: use {instead}")
    raise InputError(f"theta: expected stages without a horizon in the output, got one with it: use {instead}")


def pixels_of(size: Sequence[int], ndim: int) -> Float64[Tensor, "rows rows"]:
    """N⁻¹: the matrix that takes normalized points (x, y, 1) to pixel indices of an image.

    Args:
        size: of the image, (H, W) or (D, H, W).
        ndim: number of its dimensions.

    Raises:
        InputError: when the size is not `ndim` whole numbers.

    Example:
        >>> import stnkit
        >>> stnkit.interop.pixels.pixels_of((2, 4), 2).tolist()
        [[2.0, 0.0, 1.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]]
    """
    extent = torch.tensor(coordinates.check_size(size, ndim)[::-1], dtype=torch.float64)
    matrix = torch.diag(torch.cat([extent / 2, extent.new_ones(1)]))
    matrix[:-1, -1] = (extent - 1) / 2
    return matrix


def check_ndim(family: TransformFamily, tool: str, ndim: int = 2) -> None:
    """Raise an InputError unless a family has `ndim` dimensions.

    Args:
        family: of any number of dimensions.
        tool: its name, for the message.
        ndim: number of dimensions that the tool takes.

    Raises:
        InputError: for a family of another number of dimensions.

    Example:
        >>> import stnkit
        >>> stnkit.interop.pixels.check_ndim(stnkit.build("transform", "affine"), "OpenCV")
    """
    check_family(family)
    if family.ndim != ndim:
        raise InputError(f"family: expected {ndim} dimensions for {tool}, got {family.ndim}")


def as_theta(theta: Shaped[Tensor | np.ndarray, "*any"]) -> Shaped[Tensor, "*any"]:
    """θ of a tensor or an array, as a tensor.

    Args:
        theta: one row of parameters for each map.

    Raises:
        InputError: when it is neither.

    Example:
        >>> import numpy as np, stnkit
        >>> stnkit.interop.pixels.as_theta(np.zeros((1, 2)))
        tensor([[0., 0.]], dtype=torch.float64)
    """
    return as_tensor("theta", theta)


def as_array(tensor: Shaped[Tensor, "*any"]) -> Float64[np.ndarray, "*any"]:
    """A tensor as an array in float64.

    Args:
        tensor: of any device, with or without a gradient.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.pixels.as_array(torch.ones(2))
        array([1., 1.])
    """
    return tensor.detach().double().cpu().numpy()
