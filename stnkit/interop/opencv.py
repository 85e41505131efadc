"""OpenCV: `warpAffine`, `warpPerspective` and `remap`.

OpenCV counts pixels from their centers, x first, as `pixel_matrix` does. For float32 images of 1, 3 or 4 channels
OpenCV 5 agrees with stnkit within 5e-6 of the image's range. For float64, 2 or more than 4 channels, int16, and in
OpenCV 4, it rounds coordinates to 1/32 pixel: up to 1/64 of the contrast of neighboring pixels.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Shaped
from torch import Tensor

from stnkit.families import TransformFamily
from stnkit.interop.matrices import affine_rows, inverted
from stnkit.interop.pixels import as_array, check_ndim, matrix_between, pixel_map
from stnkit.interop.thetas import as_matrices, joined_maps, theta_of_pixel_map, theta_of_pixel_matrix

TOOL = "OpenCV"
# In pixels, outside of every image that `remap` takes: from 2³¹/32 on it reads the opposite edge, in 5.0 of float64.
FARTHEST = 1e7
# Padding of stnkit: borderMode of OpenCV. `fill` is BORDER_CONSTANT with borderValue.
BORDERS = {
    "zeros": "BORDER_CONSTANT",
    "fill": "BORDER_CONSTANT",
    "border": "BORDER_REPLICATE",
    "reflection": "BORDER_REFLECT",
    "mirror": "BORDER_REFLECT_101",
    "circular": "BORDER_WRAP",
}


def warp_affine(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
    inverse_map: bool = True,
) -> Float64[np.ndarray, "B 2 3"]:
    """The rows of M: `cv2.warpAffine(image, M, (W_out, H_out), flags=INTER_LINEAR | WARP_INVERSE_MAP)`.

    Args:
        family: of affine matrices, in two dimensions.
        theta: one row of parameters for each matrix.
        in_size: (H, W) of the image that is read.
        out_size: (H, W) of the output.
        inverse_map: True for a call with the flag WARP_INVERSE_MAP; False for M⁻¹, without it.

    Raises:
        InputError: when the maps are not affine, or M⁻¹ is asked for and does not exist.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "rotation")
        >>> stnkit.interop.opencv.warp_affine(family, family.identity()[None], (10, 20), (5, 10))[0].tolist()
        [[2.0, 0.0, 0.5], [0.0, 2.0, 0.5]]
    """
    matrix = affine_rows(_matrix(family, theta, in_size, out_size, inverse_map), "opencv.warp_perspective")
    return as_array(matrix)


def warp_perspective(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
    inverse_map: bool = True,
) -> Float64[np.ndarray, "B 3 3"]:
    """M: `cv2.warpPerspective(image, M, (W_out, H_out), flags=INTER_LINEAR | WARP_INVERSE_MAP)`.

    OpenCV shows points behind the horizon mirrored, where stnkit and `remap` read outside of the image.

    Args:
        family: of matrices, in two dimensions.
        theta: one row of parameters for each matrix.
        in_size: (H, W) of the image that is read.
        out_size: (H, W) of the output.
        inverse_map: True for a call with the flag WARP_INVERSE_MAP; False for M⁻¹, without it.

    Raises:
        InputError: when the family is not one of matrices, or M⁻¹ is asked for and does not exist.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "projective")
        >>> m = stnkit.interop.opencv.warp_perspective(family, family.identity()[None], (5, 10), (10, 20), False)
        >>> m[0].round(9).tolist()
        [[2.0, 0.0, 0.5], [0.0, 2.0, 0.5], [0.0, 0.0, 1.0]]
    """
    return as_array(_matrix(family, theta, in_size, out_size, inverse_map))


def remap(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> tuple[Float32[np.ndarray, "B height width"], Float32[np.ndarray, "B height width"]]:
    """The maps of x and of y: `cv2.remap(image, map_x[0], map_y[0], INTER_LINEAR)`, for a family of any kind.

    Args:
        family: any, in two dimensions.
        theta: one row of parameters for each map.
        in_size: (H, W) of the image that is read.
        out_size: (H, W) of the output.

    Raises:
        InputError: when θ or a size has the wrong shape.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "tps")
        >>> map_x, map_y = stnkit.interop.opencv.remap(family, family.identity()[None], (4, 6), (1, 3))
        >>> map_x[0].round(5).tolist(), map_y.dtype
        ([[0.5, 2.5, 4.5]], dtype('float32'))
    """
    check_ndim(family, TOOL)
    pixels = np.clip(pixel_map(family, theta, in_size, out_size), -FARTHEST, FARTHEST).astype(np.float32)
    return np.ascontiguousarray(pixels[..., 0]), np.ascontiguousarray(pixels[..., 1])


def theta_of_matrix(
    family: TransformFamily,
    matrix: Shaped[Tensor | np.ndarray, "*batch rows columns"],
    in_size: Sequence[int],
    out_size: Sequence[int],
    inverse_map: bool = True,
) -> Float64[Tensor, "B P"]:
    """The θ of a matrix of OpenCV, as of `getAffineTransform`, `estimateAffine2D` or `findHomography`.

    Args:
        family: one that holds the map.
        matrix: one or a batch, with two or three rows.
        in_size: (H, W) of the image that is read.
        out_size: (H, W) of the output.
        inverse_map: True for a matrix from points of the output to points of the input; False for one from the
            input to the output, as `warpPerspective` takes without WARP_INVERSE_MAP.

    Raises:
        InputError: when the matrix has the wrong shape, has no inverse where it needs one, or is no map of the family.

    Example:
        >>> import numpy as np, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.opencv.theta_of_matrix(family, np.array([[1, 0, -4], [0, 1, 0]]), (4, 8), (4, 8), False)
        tensor([[1., 0.]], dtype=torch.float64)
    """
    check_ndim(family, TOOL)
    given = as_matrices(matrix, 2)
    return theta_of_pixel_matrix(family, given if inverse_map else inverted(given), in_size, out_size)


def theta_of_maps(
    family: TransformFamily,
    map_x: Shaped[Tensor | np.ndarray, "*batch height width"],
    map_y: Shaped[Tensor | np.ndarray, "*batch height width"],
    in_size: Sequence[int],
    tolerance: float = 0.1,
) -> Float64[Tensor, "B P"]:
    """The θ of the two maps of `remap`, by `family.fit`.

    Args:
        family: one that holds the map.
        map_x: x of the pixel that is read, one image or a batch; NaN, or 10⁷ and more, where it is not known.
        map_y: y of it.
        in_size: (H, W) of the image that is read.
        tolerance: in pixels, the largest distance from the map that is given.

    Raises:
        InputError: when the maps have different shapes, or the nearest map of the family is farther away.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "tps")
        >>> maps = stnkit.interop.opencv.remap(family, family.identity()[None], (9, 12), (6, 8))
        >>> theta = stnkit.interop.opencv.theta_of_maps(family, *maps, (9, 12))
        >>> float((theta - family.identity()).abs().max()) < 1e-5
        True
    """
    check_ndim(family, TOOL)
    maps = joined_maps(map_x, map_y)
    # The mark of `remap` for points without a source, which in a large image is nearer than `coordinates.OUTSIDE`.
    known = (maps.double().abs() < FARTHEST).all(dim=-1, keepdim=True)
    return theta_of_pixel_map(family, torch.where(known, maps.double(), torch.nan), in_size, tolerance, maps.dtype)


def _matrix(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
    inverse_map: bool,
) -> Tensor:
    check_ndim(family, TOOL)
    matrix = matrix_between(family, theta, in_size, out_size, "opencv.remap")
    return matrix if inverse_map else inverted(matrix)
