"""kornia: `warp_affine`, `warp_perspective`, `homography_warp`, `remap` and their forms for volumes.

The matrices are tensors in the dtype of θ, at least float32, and differentiable in it. kornia's `warp_…` take maps from
the input to the output, between pixel indices; `homography_warp` takes the normalized matrix of stnkit as it is.
Pictures agree with stnkit within 1e-13 of their range, also at the border. kornia's reflection is about centers where
`align_corners=True`, the default but in `homography_warp`: that is stnkit's mirror. Else it is about edges, as is
stnkit's. kornia's `warp_image_tps` has its kernels on the target points: no θ of a spline gives its picture.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.families import TransformFamily
from stnkit.families.given import check_family
from stnkit.interop.matrices import affine_rows, inverted
from stnkit.interop.pixels import as_theta, check_ndim, matrix_between, normalized_matrix_of
from stnkit.interop.thetas import as_matrices, joined_maps, theta_of_pixel_map, theta_of_pixel_matrix

TOOL = "kornia"


def warp_affine(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float[Tensor, "B ndim columns"]:
    """The rows of M⁻¹: `warp_affine(image, rows, out_size)`, and for volumes `warp_affine3d(volume, rows, out_size)`.

    Args:
        family: of affine matrices.
        theta: one row of parameters for each matrix.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the maps are not affine, or have no inverse.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.kornia.warp_affine(family, family.identity()[None].float(), (4, 8), (2, 4))[0, 0]
        tensor([ 0.5000,  0.0000, -0.2500])
    """
    matrix = inverted(matrix_between(family, theta, in_size, out_size, "kornia.remap"))
    return _as_theta_is(affine_rows(matrix, "kornia.warp_perspective"), theta)


def warp_perspective(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float[Tensor, "B rows rows"]:
    """M⁻¹: `warp_perspective(image, matrix, out_size)`, for volumes `warp_perspective3d(…, align_corners=True)`.

    Args:
        family: of matrices.
        theta: one row of parameters for each matrix.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the family is not one of matrices, or a map has no inverse.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "projective")
        >>> stnkit.interop.kornia.warp_perspective(family, family.identity()[None].float(), (4, 8), (2, 4))[0, 0]
        tensor([ 0.5000,  0.0000, -0.2500])
    """
    return _as_theta_is(inverted(matrix_between(family, theta, in_size, out_size, "kornia.remap")), theta)


def homography_warp(family: TransformFamily, theta: Float[Tensor | np.ndarray, "B P"]) -> Float[Tensor, "B rows rows"]:
    """A, the normalized matrix: `homography_warp(image, matrix, out_size)`, whose `align_corners` is False.

    Not for `homography_warp3d`, which normalizes otherwise.

    Args:
        family: of matrices, in two dimensions.
        theta: one row of parameters for each matrix.

    Raises:
        InputError: when the family is not one of matrices in two dimensions.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.kornia.homography_warp(stnkit.build("transform", "affine"), torch.rand(1, 6)).shape
        torch.Size([1, 3, 3])
    """
    check_ndim(family, TOOL)
    return _as_theta_is(normalized_matrix_of(family, theta, "kornia.remap"), theta)


def remap(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> tuple[Float[Tensor, "B height width"], Float[Tensor, "B height width"]]:
    """The maps of x and of y: `remap(image, map_x, map_y, align_corners=True)`, for a family of any kind.

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
        >>> map_x, map_y = stnkit.interop.kornia.remap(family, family.identity()[None].float(), (4, 6), (1, 3))
        >>> map_x
        tensor([[[0.5000, 2.5000, 4.5000]]])
    """
    check_ndim(family, TOOL)
    in_size = coordinates.check_size(in_size, 2)
    map_x, map_y = coordinates.to_pixels(family.grid(as_theta(theta), out_size), in_size).unbind(dim=-1)
    return map_x, map_y


def theta_of_matrix(
    family: TransformFamily,
    matrix: Shaped[Tensor | np.ndarray, "*batch rows columns"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float[Tensor, "B P"]:
    """The θ of a matrix of `warp_affine` or `warp_perspective`, as of `get_perspective_transform`: input → output.

    Args:
        family: one that holds the map.
        matrix: one or a batch, with or without the last row where it is 0 … 0 1.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the matrix has the wrong shape or no inverse, or is no map of the family.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> matrix = torch.tensor([[1.0, 0, -4], [0, 1, 0]])
        >>> stnkit.interop.kornia.theta_of_matrix(family, matrix, (4, 8), (4, 8))
        tensor([[1., 0.]], dtype=torch.float64)
    """
    check_family(family)
    return theta_of_pixel_matrix(family, inverted(as_matrices(matrix, family.ndim)), in_size, out_size)


def theta_of_maps(
    family: TransformFamily,
    map_x: Float[Tensor, "*batch height width"],
    map_y: Float[Tensor, "*batch height width"],
    in_size: Sequence[int],
    tolerance: float = 0.1,
) -> Float64[Tensor, "B P"]:
    """The θ of the two maps of `remap`, by `family.fit`.

    Args:
        family: one that holds the map.
        map_x: x of the pixel that is read, one image or a batch; NaN where it is not known.
        map_y: y of it.
        in_size: (H, W) of the image that is read.
        tolerance: in pixels, the largest distance from the map that is given.

    Raises:
        InputError: when the maps have different shapes, or the nearest map of the family is farther away.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "tps")
        >>> maps = stnkit.interop.kornia.remap(family, family.identity()[None], (9, 12), (6, 8))
        >>> theta = stnkit.interop.kornia.theta_of_maps(family, *maps, (9, 12))
        >>> float((theta - family.identity()).abs().max()) < 1e-5
        True
    """
    check_ndim(family, TOOL)
    return theta_of_pixel_map(family, joined_maps(map_x, map_y), in_size, tolerance)


def _as_theta_is(matrix: Tensor, theta: Tensor | np.ndarray) -> Tensor:
    return matrix.to(coordinates.coordinate_dtype(as_theta(theta).dtype))
