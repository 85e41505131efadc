"""`align_corners=True`: users of `affine_grid` and `grid_sample` of torch with the other convention.

There [-1, 1] spans the centers of the outermost pixels, so that pixel i of W has its center at 2i/(W − 1) − 1, and a
normalized point means another one in an image of another size. Results are tensors in the dtype of θ, at least
float32, and differentiable in it. torch's reflection is then about centers: stnkit's mirror.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64, Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families import TransformFamily
from stnkit.families.given import check_family
from stnkit.interop.matrices import affine_rows
from stnkit.interop.pixels import as_theta, matrix_between
from stnkit.interop.rounding import spacing
from stnkit.interop.thetas import as_matrices, theta_of_pixel_matrix, theta_of_stored_map
from stnkit.numpy_arrays import as_tensor


def from_points(points: Float[Tensor, "*any ndim"], size: Sequence[int]) -> Float[Tensor, "*any ndim"]:
    """p·(n − 1)/n: points with [-1, 1] on the outermost centers as those of stnkit.

    Args:
        points: normalized with `align_corners=True`, x first.
        size: of the image that they are on, (H, W) or (D, H, W).

    Raises:
        InputError: when the points are no tensor of real numbers, or the size is not one number for each coordinate.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.align_corners.from_points(torch.tensor([[1.0, -1.0]]), (4, 8))
        tensor([[ 0.8750, -0.7500]])
    """
    points = _checked(points)
    extent = _extent(points, size)
    return points * ((extent - 1) / extent)


def to_points(points: Float[Tensor, "*any ndim"], size: Sequence[int]) -> Float[Tensor, "*any ndim"]:
    """p·n/(n − 1): points of stnkit as those with [-1, 1] on the outermost centers.

    Args:
        points: normalized, x first.
        size: of the image that they are on, each at least 2.

    Raises:
        InputError: when the points are no tensor of real numbers, or the size is not one number of at least 2 for each
            coordinate.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.align_corners.to_points(torch.tensor([[0.875, -0.75]]), (4, 8))
        tensor([[ 1., -1.]])
    """
    points = _checked(points)
    _check_not_single(size, points.shape[-1])
    extent = _extent(points, size)
    return points * (extent / (extent - 1))


def affine_grid(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float[Tensor, "B ndim columns"]:
    """The `theta` of `affine_grid(theta, [B, C, *out_size], align_corners=True)`.

    Args:
        family: of affine matrices.
        theta: one row of parameters for each matrix.
        in_size: size of the image that is read, each number at least 2.
        out_size: size of the output, each number at least 2.

    Raises:
        InputError: when the maps are not affine, or a size has a 1.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.align_corners.affine_grid(family, family.identity()[None].float(), (4, 8), (2, 4))[0].diag()
        tensor([0.8571, 0.6667])
    """
    matrix = matrix_between(family, theta, in_size, out_size, "align_corners.grid")
    rows = affine_rows(_to_aligned(in_size, matrix) @ matrix @ _from_aligned(out_size, matrix), "align_corners.grid")
    return rows.to(coordinates.coordinate_dtype(as_theta(theta).dtype))


def grid(
    family: TransformFamily,
    theta: Float[Tensor | np.ndarray, "B P"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float[Tensor, "B *out_size ndim"]:
    """The `grid` of `grid_sample(image, grid, align_corners=True)`, for a family of any kind.

    Args:
        family: any.
        theta: one row of parameters for each map.
        in_size: size of the image that is read, each number at least 2.
        out_size: size of the output.

    Raises:
        InputError: when θ or a size has the wrong shape.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.align_corners.grid(family, family.identity()[None].float(), (4, 8), (1, 2))[0, 0]
        tensor([[-0.5714,  0.0000],
                [ 0.5714,  0.0000]])
    """
    check_family(family)
    return to_points(family.grid(as_theta(theta), out_size), in_size)


def theta_of_affine_grid(
    family: TransformFamily,
    rows: Shaped[Tensor | np.ndarray, "*batch rows columns"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[Tensor, "B P"]:
    """The θ of the `theta` of `affine_grid(…, align_corners=True)`, as of a network that was trained with it.

    Args:
        family: one that holds the map.
        rows: (2, 3) or (3, 4), one or a batch; or homogeneous matrices of the same convention.
        in_size: size of the image that is read, each number at least 2.
        out_size: size of the output, each number at least 2.

    Raises:
        InputError: when the rows have the wrong shape, a size has a 1, or the family does not hold the map.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> rows = torch.tensor([[1, 0, 1], [0, 1, 0]])
        >>> stnkit.interop.align_corners.theta_of_affine_grid(family, rows, (5, 5), (5, 5))
        tensor([[0.8000, 0.0000]], dtype=torch.float64)
    """
    check_family(family)
    matrix = as_matrices(rows, family.ndim)
    pixels = _from_aligned(in_size, matrix) @ matrix @ _to_aligned(out_size, matrix)
    return theta_of_pixel_matrix(family, pixels, in_size, out_size)


def theta_of_grid(
    family: TransformFamily,
    grid: Float[Tensor | np.ndarray, "B *out_size ndim"],
    in_size: Sequence[int],
    tolerance: float = 0.1,
) -> Float64[Tensor, "B P"]:
    """The θ of a grid of `grid_sample(…, align_corners=True)`, by `family.fit`.

    Args:
        family: one that holds the map.
        grid: x first; NaN where it is not known.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        tolerance: in pixels, the largest distance from the map that is given.

    Raises:
        InputError: when the grid has the wrong shape, or the nearest map of the family is farther away.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> grid = stnkit.interop.align_corners.grid(family, torch.tensor([[0.5, 0.0]]), (4, 8), (4, 8))
        >>> stnkit.interop.align_corners.theta_of_grid(family, grid, (4, 8)).round(decimals=6)
        tensor([[0.5000, 0.0000]], dtype=torch.float64)
    """
    check_family(family)
    given = as_tensor("grid", grid).detach()
    in_size = coordinates.check_size(in_size, family.ndim)
    pixels = coordinates.to_pixels(from_points(given.double(), in_size), in_size)
    step = spacing(given) * (torch.tensor(in_size[::-1], device=given.device) - 1) / 2
    return theta_of_stored_map(family, pixels, step, in_size, tolerance, given.dtype)


def _checked(points: Tensor) -> Tensor:
    """Points in float32 at least: in bfloat16 the extent 4097 is 4096."""
    coordinates.check_is_tensor("points", points)
    if not points.ndim or not points.is_floating_point():
        raise InputError(f"points: expected floating-point (…, 2 or 3), got {points.dtype} of {tuple(points.shape)}")
    return coordinates.widened(points)


def _extent(points: Tensor, size: Sequence[int]) -> Tensor:
    extent = coordinates.check_size(size, points.shape[-1])[::-1]
    return torch.tensor(extent, dtype=points.dtype, device=points.device)


def _check_not_single(size: Sequence[int], ndim: int) -> None:
    if 1 in coordinates.check_size(size, ndim):
        raise InputError(f"size: expected at least 2 pixels on each axis with align_corners=True, got {list(size)}")


def _to_aligned(size: Sequence[int], like: Tensor) -> Tensor:
    """Pixel indices to points with [-1, 1] on the outermost centers."""
    _check_not_single(size, like.shape[-1] - 1)
    last = torch.tensor(coordinates.check_size(size, like.shape[-1] - 1)[::-1]).to(like) - 1
    matrix = torch.diag(torch.cat([2 / last, last.new_ones(1)]))
    matrix[:-1, -1] = -1
    return matrix


def _from_aligned(size: Sequence[int], like: Tensor) -> Tensor:
    return torch.linalg.inv(_to_aligned(size, like))
