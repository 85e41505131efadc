"""SciPy: `scipy.ndimage.affine_transform` and `map_coordinates`, in two and three dimensions.

SciPy counts pixels from their centers, as `pixel_matrix` does, with the first axis of the array first. With
`order=1` and a mode of `MODES` pictures agree with stnkit within 1e-14 of their range, also at the border. SciPy's
default mode `constant` is not stnkit's zeros: it gives the constant as soon as a point leaves the outermost centers.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from stnkit.errors import InputError
from stnkit.families import TransformFamily
from stnkit.families.given import check_family
from stnkit.interop.finite import check_finite
from stnkit.interop.matrices import affine_rows
from stnkit.interop.pixels import as_array, matrix_between, pixel_map
from stnkit.interop.thetas import theta_of_pixel_map, theta_of_pixel_matrix
from stnkit.numpy_arrays import as_tensor

# Padding of stnkit: mode of SciPy. `fill` is grid-constant with cval.
MODES = {
    "zeros": "grid-constant",
    "fill": "grid-constant",
    "border": "nearest",
    "reflection": "reflect",
    "mirror": "mirror",
    "circular": "grid-wrap",
}


def affine_transform(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> tuple[Float64[np.ndarray, "B ndim ndim"], Float64[np.ndarray, "B ndim"]]:
    """Matrix and offset, both with the first axis first: M with rows, columns and shift reversed.

    `affine_transform(image, matrix[0], offset[0], output_shape=out_size, order=1, mode="grid-constant")`

    Args:
        family: of affine matrices.
        theta: one row of parameters for each matrix.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the maps are not affine.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> matrix, offset = stnkit.interop.scipy.affine_transform(family, family.identity()[None], (4, 9), (4, 3))
        >>> matrix[0].tolist(), offset[0].tolist()
        ([[1.0, 0.0], [0.0, 3.0]], [0.0, 1.0])
    """
    rows = affine_rows(
        matrix_between(family, theta, in_size, out_size, "scipy.map_coordinates"), "scipy.map_coordinates"
    )
    matrix = as_array(rows.flip(1))
    return np.ascontiguousarray(matrix[:, :, -2::-1]), np.ascontiguousarray(matrix[:, :, -1])


def map_coordinates(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[np.ndarray, "B ndim *out_size"]:
    """Pixel indices, first axis first: `map_coordinates(image, coordinates[0], order=1, mode="grid-constant")`.

    Args:
        family: any.
        theta: one row of parameters for each map.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when θ or a size has the wrong shape.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "tps")
        >>> coordinates = stnkit.interop.scipy.map_coordinates(family, family.identity()[None], (4, 9), (1, 3))
        >>> coordinates[0].round(9).tolist()
        [[[1.5, 1.5, 1.5]], [[1.0, 4.0, 7.0]]]
    """
    pixels = pixel_map(family, theta, in_size, out_size)
    return np.ascontiguousarray(np.moveaxis(pixels[..., ::-1], -1, 1))


def theta_of_affine(
    family: TransformFamily,
    matrix: Shaped[Tensor | np.ndarray, "*batch rows columns"],
    offset: Shaped[Tensor | np.ndarray, "*batch rows"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[Tensor, "B P"]:
    """The θ of matrix and offset of `affine_transform`.

    Args:
        family: one that holds the map.
        matrix: first axis first, one or a batch.
        offset: likewise.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when they have the wrong shape or a number that is not finite, or are no map of the family.

    Example:
        >>> import numpy as np, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.scipy.theta_of_affine(family, np.eye(2), np.array([0, 4]), (4, 8), (4, 8))
        tensor([[1., 0.]], dtype=torch.float64)
    """
    check_family(family)
    linear, shift = as_tensor("matrix", matrix).double(), as_tensor("offset", offset).double()
    if linear.shape != (*shift.shape, family.ndim) or shift.shape[-1:] != (family.ndim,):
        expected = f"(…, {family.ndim}, {family.ndim}) and (…, {family.ndim})"
        got = f"{tuple(linear.shape)} and {tuple(shift.shape)}"
        raise InputError(f"matrix and offset: expected shapes {expected}, got {got}")
    check_finite("offset", shift.view(-1, family.ndim))
    rows = torch.cat([linear.flip(-2, -1), shift.flip(-1)[..., None]], dim=-1)
    return theta_of_pixel_matrix(family, rows, in_size, out_size)


def theta_of_coordinates(
    family: TransformFamily,
    points: Float[Tensor | np.ndarray, "..."],
    in_size: Sequence[int],
    tolerance: float = 0.1,
) -> Float64[Tensor, "B P"]:
    """The θ of the coordinates of `map_coordinates`, by `family.fit`.

    Args:
        family: one that holds the map.
        points: (ndim, *out_size) or (B, ndim, *out_size), first axis first; NaN where they are not known.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        tolerance: in pixels, the largest distance from the map that is given.

    Raises:
        InputError: when they have the wrong shape, or the nearest map of the family is farther away.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "tps")
        >>> points = stnkit.interop.scipy.map_coordinates(family, family.identity()[None], (9, 12), (6, 8))
        >>> theta = stnkit.interop.scipy.theta_of_coordinates(family, points, (9, 12))
        >>> float((theta - family.identity()).abs().max()) < 1e-9
        True
    """
    check_family(family)
    given = as_tensor("points", points)
    if given.ndim not in (family.ndim + 1, family.ndim + 2) or given.shape[-1 - family.ndim] != family.ndim:
        shape = f"({family.ndim}, *out_size) or (B, {family.ndim}, *out_size)"
        raise InputError(f"points: expected shape {shape}, got {tuple(given.shape)}")
    return theta_of_pixel_map(family, given.movedim(-1 - family.ndim, -1).flip(-1), in_size, tolerance)
