"""θ of the maps of other tools: of matrices between pixel indices, and of maps point by point."""

import contextlib
from collections.abc import Sequence
from numbers import Real

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float64, Shaped
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import DoesNotComposeError, InputError
from stnkit.families import MatrixFamily, TransformFamily
from stnkit.families.correspondences.arguments import LOST
from stnkit.families.given import check_family
from stnkit.interop.finite import check_finite
from stnkit.interop.rounding import computed, spacing
from stnkit.interop.selected_pixels import fit_to_selection
from stnkit.numpy_arrays import as_tensor

# Of maps with fewer digits, as float32, far points have a smaller weight; and the rounding of one, in units of the last
# digit: numerator, denominator and quotient are rounded, each of two or three terms.
COARSE, ROUNDED = 1e-10, 4.0
# In pixels: the error up to which a family that is fitted to a matrix holds it.
FITTED = 0.01


def theta_of_pixel_matrix(
    family: TransformFamily,
    matrix: Shaped[Tensor | np.ndarray, "*batch rows columns"],
    in_size: Sequence[int],
    out_size: Sequence[int],
) -> Float64[Tensor, "B P"]:
    """The θ of N_in · M · N_out⁻¹: the inverse of `pixel_matrix`.

    A family that gives no θ of a matrix, such as a spline, is fitted to the pixels of the output.

    Args:
        family: one that holds the map.
        matrix: M, output → input in pixel indices, x first; one or a batch, without the last row where it is 0 … 0 1.
            A factor has no influence.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        out_size: size of the output.

    Raises:
        InputError: when the family does not hold the map, within 0.01 pixels where it is fitted, or the matrix has the
            wrong shape.

    Example:
        >>> import numpy as np, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.theta_of_pixel_matrix(family, np.array([[1, 0, 4], [0, 1, 0]]), (4, 8), (4, 8))
        tensor([[1., 0.]], dtype=torch.float64)
    """
    check_family(family)
    given = as_matrices(matrix, family.ndim)
    normalized = coordinates.normalized_matrix(given, in_size, out_size)
    if isinstance(family, MatrixFamily):
        # A family that is not closed says so, and is fitted as any other.
        with contextlib.suppress(DoesNotComposeError):
            return family.from_matrix(normalized)
    index = coordinates.to_pixels(coordinates.lattice(out_size, dtype=torch.float64), out_size)
    # Rows of points, so that a batch of matrices is applied at once.
    facing = torch.where(normalized[:, -1:, -1:] < 0, -given, given)  # the center of the output is in front
    image = torch.einsum("brc,nc->bnr", facing.cpu(), F.pad(index.flatten(end_dim=-2), (0, 1), value=1.0))
    in_front = image[..., -1:] > 0
    pixels = torch.where(in_front, image[..., :-1] / torch.where(in_front, image[..., -1:], 1.0), torch.nan)
    return theta_of_pixel_map(family, pixels.view(-1, *index.shape), in_size, FITTED)


def theta_of_pixel_map(
    family: TransformFamily,
    pixels: Shaped[Tensor | np.ndarray, "*batch_and_out_size ndim"],
    in_size: Sequence[int],
    tolerance: float = 0.1,
    dtype: torch.dtype | None = None,
) -> Float64[Tensor, "B P"]:
    """The θ nearest to a map of pixels, by `family.fit`: the inverse of `pixel_map`.

    The fit takes a regular selection of the pixels, and more of them if these do not determine θ; all of them are
    compared with the result. The error of one may be larger by the distance of neighboring numbers of the dtype, 4
    pixels at 1000 in bfloat16. Near a horizon the rounding grows with the square of the distance: far points of a map
    in float32 or fewer digits have a smaller weight in the fit, and may be off by their rounding too.

    Args:
        family: one that holds the map.
        pixels: the pixel index of the input, x first, for each pixel of the output, one map or a batch; NaN, infinite
            or thousands of images away where it is not known.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        tolerance: in pixels of the input, the largest distance from the map that is given, beside its rounding.
        dtype: what the map was rounded to, if it has been converted since; by default that of `pixels`.

    Raises:
        InputError: when the map has the wrong shape, does not determine θ, or is farther from any map of the family.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> pixels = stnkit.interop.pixel_map(family, torch.tensor([[1.0, 0.0]]), (4, 8), (2, 4))
        >>> stnkit.interop.theta_of_pixel_map(family, pixels, (4, 8)).round(decimals=6)
        tensor([[1., 0.]], dtype=torch.float64)
    """
    check_family(family)
    given = as_tensor("pixels", pixels).detach()
    dtype = given.dtype if dtype is None else dtype
    return theta_of_stored_map(family, given, spacing(given, dtype), in_size, tolerance, dtype)


def theta_of_stored_map(
    family: TransformFamily,
    pixels: Shaped[Tensor, "*batch_and_out_size ndim"],
    step: Float64[Tensor, "*batch_and_out_size ndim"],
    in_size: Sequence[int],
    tolerance: float,
    dtype: torch.dtype,
) -> Float64[Tensor, "B P"]:
    """`theta_of_pixel_map` of a map that was stored in other units, such as normalized ones or displacements.

    Args:
        family: one that holds the map.
        pixels: as there.
        step: distance of neighboring numbers of those that were stored, in pixels.
        in_size: size of the image that is read, (H, W) or (D, H, W).
        tolerance: in pixels, beside the rounding.
        dtype: in which the map was stored.

    Raises:
        InputError: as there.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> pixels = torch.from_numpy(stnkit.interop.pixel_map(family, torch.zeros(1, 2), (4, 8), (2, 4)))
        >>> step = stnkit.interop.rounding.spacing(pixels)
        >>> stnkit.interop.thetas.theta_of_stored_map(family, pixels, step, (4, 8), 0.1, pixels.dtype).shape
        torch.Size([1, 2])
    """
    if not isinstance(tolerance, Real) or not tolerance >= 0:
        raise InputError(f"tolerance: expected a number of at least 0, got {tolerance}")
    given = pixels.detach().double().cpu()
    *size, n = given.shape[-1 - family.ndim :] or (0,)
    if given.ndim not in (family.ndim + 1, family.ndim + 2) or n != family.ndim or 0 in size:
        shape = f"(*size, {family.ndim}) or (B, *size, {family.ndim}), size of {family.ndim} numbers"
        raise InputError(f"pixels: expected shape {shape}, got {tuple(given.shape)}")
    given = given if given.ndim == family.ndim + 2 else given[None]
    out_size = tuple(given.shape[1:-1])
    in_size = coordinates.check_size(in_size, family.ndim)
    source = coordinates.from_pixels(given, in_size)
    weights = 1.0 if computed(dtype) < COARSE else _near(source) ** -2
    theta = fit_to_selection(family, source, source.isfinite().all(dim=-1).double() * weights)
    distance = (coordinates.to_pixels(family.grid(theta, out_size), in_size) - given).norm(dim=-1)
    allowed = tolerance + step.cpu().norm(dim=-1) + ROUNDED * max(in_size) * _rounding(source, dtype)
    has_source = (source.abs() < LOST).all(dim=-1)  # False for NaN
    missed = torch.where(has_source & (distance > allowed), distance, 0.0).flatten(1).amax(dim=1)
    if bool((missed > 0).any()):
        row, name = int(missed.argmax()), type(family).__name__
        raise InputError(
            f"map: expected one of {name}, got one that its nearest map misses by {missed[row]:.3g} pixels in row {row}"
        )
    return theta


def joined_maps(
    map_x: Shaped[Tensor | np.ndarray, "*batch height width"], map_y: Shaped[Tensor | np.ndarray, "*batch height width"]
) -> Shaped[Tensor, "*batch height width 2"]:
    """The two maps of a `remap` as one map of pixels, x first.

    Args:
        map_x: x of the pixel that is read, one image or a batch.
        map_y: y of it.

    Raises:
        InputError: when the maps have different shapes, or are no arrays of real numbers.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.thetas.joined_maps(torch.zeros(3, 4), torch.ones(3, 4))[0, 0]
        tensor([0., 1.])
    """
    x, y = as_tensor("map_x", map_x), as_tensor("map_y", map_y)
    if x.shape != y.shape:
        raise InputError(f"map_y: expected the shape of map_x, {tuple(x.shape)}, got {tuple(y.shape)}")
    if x.dtype != y.dtype and not (x.is_floating_point() and y.is_floating_point()):
        x, y = x.double(), y.double()  # of unsigned numbers and others torch has no common dtype
    return torch.stack([x, y], dim=-1)


def as_matrices(
    matrix: Shaped[Tensor | np.ndarray, "*batch rows columns"], ndim: int
) -> Float64[Tensor, "B rows_of_all rows_of_all"]:
    """Homogeneous matrices of one or a batch, of an array or a tensor, with or without the last row.

    Args:
        matrix: with ndim or ndim + 1 rows.
        ndim: number of dimensions.

    Raises:
        InputError: when it is neither an array nor a tensor, has another shape, or a number that is not finite.

    Example:
        >>> import numpy as np, stnkit
        >>> stnkit.interop.thetas.as_matrices(np.eye(2, 3), 2).tolist()
        [[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]]
    """
    given = as_tensor("matrix", matrix).double()
    if given.ndim not in (2, 3) or given.shape[-1] != ndim + 1 or given.shape[-2] not in (ndim, ndim + 1):
        rows, columns = f"{ndim} or {ndim + 1}", ndim + 1
        raise InputError(f"matrix: expected {rows} rows and {columns} columns, got shape {tuple(given.shape)}")
    given = given if given.ndim == 3 else given[None]
    check_finite("matrix", given)
    return given if given.shape[1] == ndim + 1 else coordinates.with_last_row(given)


def _rounding(source: Float64[Tensor, "*any ndim"], dtype: torch.dtype) -> Float64[Tensor, "*any"]:
    """That of the computation, and beyond twice the image that of θ, which has the digits of `dtype`."""
    share = torch.finfo(dtype).eps if dtype.is_floating_point else 0.0
    return 4.0 * computed(dtype) + share * (_near(source) - 4.0)


def _near(source: Float64[Tensor, "*any ndim"]) -> Float64[Tensor, "*any"]:
    """The square of the distance from the center, at least 4: that of points within twice the image."""
    return source.square().sum(dim=-1).nan_to_num(nan=4.0, posinf=4.0).clamp_min(4.0)
