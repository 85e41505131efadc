"""The one coordinate convention; what follows another one is converted here or in `stnkit.interop`.

Normalized coordinates are x before y (before z), and [-1, 1] spans the outer edges of the image: pixel i of W
has its center at (2i + 1)/W − 1, and its index is ((x + 1)·W − 1)/2. (PyTorch calls this `align_corners=False`.)
Sizes are in the order of the image's axes, (H, W) or (D, H, W), coordinates in the reverse of it.
"""

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Real, Shaped
from torch import Tensor

from stnkit import portable
from stnkit.default_device import built_on_cpu as built_on_cpu
from stnkit.errors import InputError
from stnkit.homogeneous import homogeneous as homogeneous
from stnkit.homogeneous import with_last_row as with_last_row
from stnkit.numpy_arrays import as_tensor
from stnkit.precision import coordinate_dtype as coordinate_dtype
from stnkit.precision import full_precision as full_precision
from stnkit.precision import products_are_narrowed as products_are_narrowed
from stnkit.precision import widened as widened

# A coordinate outside of every image: far beyond the support of any kernel, and small enough that pixel indices stay
# exact in the samplers' integers for images of 400,000 pixels a side.
OUTSIDE = 1e4
# Points beyond this were sent outside on purpose: to `OUTSIDE`, or to a fraction of it that a sum of terms leaves.
NEAR = OUTSIDE / 16


def finite(source: Float[Tensor, "*any"], bound: float = OUTSIDE) -> Float[Tensor, "*any"]:
    """Coordinates clamped to ±`bound`, with NaN moved to it: by default outside of every image.

    Example:
        >>> import torch, stnkit
        >>> stnkit.coordinates.finite(torch.tensor([0.5, -torch.inf, torch.nan])).tolist()
        [0.5, -10000.0, 10000.0]
    """
    return portable.finite(source, bound)


def check_size(size: Sequence[int], ndim: int) -> tuple[int, ...]:
    """`size` as a tuple of `ndim` whole numbers, each at least 1.

    Raises:
        InputError: when it is anything else.
    """
    if ndim == 2 and type(size) is tuple and len(size) == 2:  # the general check takes a tenth of a small warp
        height, width = size
        if type(height) is int and type(width) is int and height > 0 and width > 0:
            return size
    return check_counts("size", size, ndim, at_least=1)


def check_ndim(ndim: int) -> int:
    """`ndim`, a number of dimensions.

    Raises:
        InputError: when it is neither 2 nor 3.
    """
    if ndim not in (2, 3):
        raise InputError(f"ndim: expected 2 or 3, got {ndim}")
    return ndim


def check_counts(name: str, counts: Sequence[int], ndim: int, at_least: int) -> tuple[int, ...]:
    """`counts` as a tuple: numbers of points along each axis of a lattice, in the order of the image's axes.

    Args:
        name: of the option, for the message.
        counts: [rows, columns] or [planes, rows, columns].
        ndim: number of axes.
        at_least: smallest count.

    Raises:
        InputError: when they are not `ndim` whole numbers of at least `at_least`.
    """
    given: Any = tuple(counts) if isinstance(counts, Iterable) and getattr(counts, "shape", True) else (counts,)
    if len(given) != ndim or not all(_is_whole(n) and n >= at_least for n in given):
        got: Any = list(given) if isinstance(counts, Iterable) else counts
        raise InputError(f"{name}: expected {ndim} whole numbers of at least {at_least}, got {got}")
    return tuple(n if isinstance(n, torch.SymInt) else int(n) for n in given)  # type: ignore[misc]


def _is_whole(n: Any) -> bool:
    if isinstance(n, Tensor):  # a size of an image under torch.jit.trace, which warns that it becomes a constant
        scalar = n.ndim == 0 and not n.is_floating_point()
        return scalar and bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]
    return isinstance(n, int | torch.SymInt | numbers.Integral) and not isinstance(n, bool)


def check_is_tensor(name: str, value: object) -> None:
    """Raise an InputError unless a value is a tensor that has sizes and strides.

    Args:
        name: of the argument, for the message.
        value: of the argument.

    Raises:
        InputError: when it is anything else, such as a sparse or a nested tensor.
    """
    if not isinstance(value, Tensor):
        raise InputError(f"{name}: expected a tensor, got {type(value).__name__}")
    if value.layout is not torch.strided or value.is_nested:
        raise InputError(f"{name}: expected a dense tensor, got {'a nested one' if value.is_nested else value.layout}")


def check_aspect(aspect: float) -> float:
    """`aspect`, the width of images divided by their height, in pixels.

    Raises:
        InputError: when it is not between 0.001 and 1000.
    """
    if not 1e-3 <= aspect <= 1e3:
        raise InputError(f"aspect: expected a number between 0.001 and 1000, got {aspect}")
    return aspect


def axis(n: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None) -> Float[Tensor, "n"]:
    """(2i + 1)/n − 1 for i = 0 … n − 1: the normalized centers of n pixels in a row.

    Args:
        n: number of pixels, at least 1.
        dtype: of the result; computed in float64 and rounded once.
        device: of the result.

    Example:
        >>> import stnkit
        >>> stnkit.coordinates.axis(4).tolist()
        [-0.75, -0.25, 0.25, 0.75]
    """
    if torch.compiler.is_compiling():  # n may be symbolic, and `linspace` makes a constant of it
        return ((2 * torch.arange(n, dtype=torch.float64, device=device) - (n - 1)) / n).to(dtype)
    return torch.linspace(1 / n - 1, 1 - 1 / n, n, dtype=torch.float64, device=device).to(dtype)  # one call: fast


def mesh(axes: Sequence[Tensor]) -> Shaped[Tensor, "*size ndim"]:
    """The points whose coordinates lie on given axes, x before y (before z).

    Args:
        axes: coordinates along each axis, in the order of the image's axes: of y and x, or of z, y and x.

    Example:
        >>> import torch, stnkit
        >>> stnkit.coordinates.mesh([torch.tensor([5, 6]), torch.tensor([0])]).tolist()
        [[[0, 5]], [[0, 6]]]
    """
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)


def lattice(
    size: Sequence[int], *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
) -> Float[Tensor, "*size ndim"]:
    """The normalized centers of all pixels of an image of `size`.

    Args:
        size: (H, W) or (D, H, W).
        dtype: of the result.
        device: of the result.

    Example:
        >>> import stnkit
        >>> stnkit.coordinates.lattice((2, 2)).tolist()
        [[[-0.5, -0.5], [0.5, -0.5]], [[-0.5, 0.5], [0.5, 0.5]]]
    """
    return mesh([axis(n, dtype=dtype, device=device) for n in size])


def border(
    n: int = 16, *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
) -> Float[Tensor, "points 2"]:
    """The edge of [-1, 1]² as a closed line from its upper left corner, so that T_θ of it outlines what T_θ reads.

    Args:
        n: number of points on each of the four sides.
        dtype: of the points.
        device: where they are made.

    Example:
        >>> import stnkit
        >>> stnkit.coordinates.border(1).tolist()
        [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0]]
    """
    along = torch.linspace(-1, 1, n + 1, dtype=dtype, device=device)[:-1]
    edge = torch.ones_like(along)
    x, y = torch.cat([along, edge, -along, -edge]), torch.cat([-edge, along, edge, -along])
    return torch.stack([x, y], dim=-1)[[*range(4 * n), 0]]


def corners(ndim: int, *, device: torch.device | str | None = None) -> Float[Tensor, "corners ndim"]:
    """The normalized corners of an image in float64, x varying fastest: [-1, -1], [1, -1], [-1, 1], [1, 1].

    Example:
        >>> import stnkit
        >>> stnkit.coordinates.corners(3).shape
        torch.Size([8, 3])
    """
    return 2 * lattice((2,) * ndim, dtype=torch.float64, device=device).flatten(end_dim=-2)


def _as_points(points: Tensor | np.ndarray) -> Tensor:
    given = as_tensor("points", points)
    return given.to(coordinate_dtype(given.dtype))


def _extent(points: Tensor, size: Sequence[int]) -> Tensor:
    n = points.shape[-1] if points.ndim else 0
    if not hasattr(size, "__len__") or n != len(size):
        raise InputError(f"size: expected {n} numbers, one for each coordinate of points, got {size}")
    if not torch.compiler.is_compiling() and not all(map(_is_side, size)):
        check_size(size, n)
    return torch.tensor(tuple(size)[::-1], dtype=points.dtype, device=points.device)


def _is_side(n: Any) -> bool:
    """True for whole numbers of at least 1; a traced size is compared with nothing."""
    return n > 0 if type(n) is int else isinstance(n, torch.SymInt | Tensor) and _is_whole(n)


def to_pixels(points: Float[Tensor | np.ndarray, "*any ndim"], size: Sequence[int]) -> Float[Tensor, "*any ndim"]:
    """((p + 1)·size − 1)/2: normalized points as pixel indices, x before y.

    Args:
        points: normalized, x first.
        size: of the image, (H, W) or (D, H, W).

    Raises:
        InputError: when the points are no tensor or array, or the size is not one whole number of at least 1 for each
            coordinate.

    Example:
        >>> import torch, stnkit
        >>> stnkit.coordinates.to_pixels(torch.tensor([[0.0, 0.0], [-1.0, -1.0]]), (4, 8)).tolist()
        [[3.5, 1.5], [-0.5, -0.5]]
    """
    points = _as_points(points)
    return ((points + 1) * _extent(points, size) - 1) / 2


def from_pixels(points: Real[Tensor | np.ndarray, "*any ndim"], size: Sequence[int]) -> Float[Tensor, "*any ndim"]:
    """(2p + 1)/size − 1: pixel indices, x before y, as normalized points.

    Args:
        points: pixel indices, x first; they need not be whole.
        size: of the image, (H, W) or (D, H, W).

    Raises:
        InputError: as `to_pixels`.

    Example:
        >>> import torch, stnkit
        >>> stnkit.coordinates.from_pixels(torch.tensor([[0.0, 0.0]]), (4, 8)).tolist()
        [[-0.875, -0.75]]
    """
    points = _as_points(points)
    return (2 * points + 1) / _extent(points, size) - 1


def normalized_matrix(
    matrix: Float[Tensor, "*batch rows rows"], in_size: Sequence[int], out_size: Sequence[int]
) -> Float[Tensor, "*batch rows rows"]:
    """N_in · M · N_out⁻¹: a matrix between pixel indices as the same map between normalized coordinates.

    Args:
        matrix: homogeneous, takes pixel indices of the output (x, y, 1) to pixel indices of the input.
        in_size: size of the input image, (H, W) or (D, H, W).
        out_size: size of the output image.

    Raises:
        InputError: when the matrix is no tensor or not square, or a size is not one number for each of its dimensions.

    Example:
        >>> import torch, stnkit
        >>> one_pixel_right = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        >>> stnkit.coordinates.normalized_matrix(one_pixel_right, (4, 8), (4, 8)).tolist()
        [[1.0, 0.0, 0.25], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    check_is_tensor("matrix", matrix)
    ndim = matrix.shape[-1] - 1
    if matrix.ndim < 2 or ndim not in (2, 3) or matrix.shape[-2] != ndim + 1:
        raise InputError(f"matrix: expected shape (…, 3, 3) or (…, 4, 4), got {tuple(matrix.shape)}")
    in_size, out_size = check_size(in_size, ndim), check_size(out_size, ndim)
    dtype = coordinate_dtype(matrix.dtype)
    # In float64, which no setting narrows.
    matrix = matrix.double()
    with full_precision(matrix):
        to_normalized = _pixels_to_normalized(in_size, matrix)
        from_normalized = torch.linalg.inv(_pixels_to_normalized(out_size, matrix))
        return (to_normalized @ matrix @ from_normalized).to(dtype)


def _pixels_to_normalized(size: Sequence[int], like: Tensor) -> Tensor:
    extent = torch.tensor(tuple(size)[::-1], dtype=like.dtype, device=like.device)
    matrix = torch.diag(torch.cat([2 / extent, extent.new_ones(1)]))
    matrix[:-1, -1] = 1 / extent - 1
    return matrix
