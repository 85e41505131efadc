"""torchvision: `perspective`, `elastic` and the parameters of `affine`, of `torchvision.transforms.v2.functional`.

torchvision counts pixels from the outer edge, and its output has the size of the input. Pictures with BILINEAR and
without `fill` are those of stnkit's zeros, within 1e-5 of the range for float32. With `fill`, 0 as well, torchvision
weighs the outermost half pixel twice: a border that stnkit fades to ½ it fades to ¼.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families import TransformFamily
from stnkit.finite_numbers import is_finite_number
from stnkit.interop.matrices import eight_numbers, from_edges, to_edges
from stnkit.interop.pixels import as_theta, check_ndim, matrix_between
from stnkit.interop.rounding import spacing
from stnkit.interop.thetas import theta_of_pixel_matrix, theta_of_stored_map
from stnkit.numpy_arrays import as_tensor

TOOL = "torchvision"


def perspective(
    family: TransformFamily, theta: Float[Tensor | np.ndarray, "B P"], size: Sequence[int]
) -> list[list[float]]:
    """Eight numbers for each map: `perspective(image, None, None, BILINEAR, coefficients=numbers[0])`.

    Args:
        family: of matrices, in two dimensions.
        theta: one row of parameters for each matrix.
        size: (H, W) of the image and of the output.

    Raises:
        InputError: when the family is not one of matrices, or the upper left corner of the output is on the horizon.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "projective")
        >>> stnkit.interop.torchvision.perspective(family, family.identity()[None], (4, 8))
        [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]]
    """
    check_ndim(family, TOOL)
    numbers: list[list[float]] = eight_numbers(
        to_edges(matrix_between(family, theta, size, size, "torchvision.elastic"))
    ).tolist()
    return numbers


def elastic(
    family: TransformFamily, theta: Float[Tensor | np.ndarray, "B P"], size: Sequence[int]
) -> Float[Tensor, "B height width 2"]:
    """T_θ(p) − p: `elastic(image, field[:1], BILINEAR)`, for a family of any kind.

    torchvision takes one field at a time. The field is in the dtype of θ, at least float32, and differentiable in it.

    Args:
        family: any, in two dimensions.
        theta: one row of parameters for each map.
        size: (H, W) of the image and of the output.

    Raises:
        InputError: when θ or the size has the wrong shape.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> stnkit.interop.torchvision.elastic(family, torch.tensor([[0.5, 0.0]]), (4, 8))[0, 0, 0]
        tensor([0.5000, 0.0000])
    """
    check_ndim(family, TOOL)
    grid = family.grid(as_theta(theta), size)
    return grid - coordinates.lattice(size, dtype=grid.dtype, device=grid.device)


def theta_of_field(
    family: TransformFamily, field: Float[Tensor | np.ndarray, "B height width 2"], tolerance: float = 0.1
) -> Float64[Tensor, "B P"]:
    """The θ of the displacement of `elastic`, by `family.fit`.

    Args:
        family: one that holds the map.
        field: normalized, as `ElasticTransform` draws it.
        tolerance: in pixels, the largest distance from the map that is given.

    Raises:
        InputError: when the field has the wrong shape, or the nearest map of the family is farther away.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> field = stnkit.interop.torchvision.elastic(family, torch.tensor([[0.5, 0.0]]), (4, 8))
        >>> stnkit.interop.torchvision.theta_of_field(family, field).round(decimals=6)
        tensor([[0.5000, 0.0000]], dtype=torch.float64)
    """
    check_ndim(family, TOOL)
    given = as_tensor("field", field).detach().cpu()
    if given.ndim != 4 or given.shape[-1] != 2:
        raise InputError(f"field: expected shape (B, H, W, 2), got {tuple(given.shape)}")
    size = tuple(given.shape[1:3])
    source = coordinates.lattice(size, dtype=torch.float64) + given
    # In 16 bits a displacement is the difference of coordinates that were rounded themselves.
    is_coarse = given.is_floating_point() and given.dtype.itemsize < 4
    coarse = torch.finfo(given.dtype).eps if is_coarse else 0.0
    step = spacing(given).clamp_min(coarse) * torch.tensor(size[::-1]) / 2
    return theta_of_stored_map(family, coordinates.to_pixels(source, size), step, size, tolerance, given.dtype)


def theta_of_affine(
    family: TransformFamily,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
    size: Sequence[int],
    center: Sequence[float] | None = None,
) -> Float64[Tensor, "1 P"]:
    """The θ of the parameters of `affine`, as of `RandomAffine.get_params`: (T C R S X Y C⁻¹)⁻¹, normalized.

    Args:
        family: one that holds the map, such as affine.
        angle: in degrees, clockwise.
        translate: of x and y, in pixels.
        scale: above 0.
        shear: along x and y, in degrees.
        size: (H, W) of the image and of the output.
        center: x and y in pixels from the outer edge; None for the center of the image.

    Raises:
        InputError: when a parameter has the wrong length or is not finite, scale is not above 0, or the family does not
            hold the map.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> stnkit.interop.torchvision.theta_of_affine(family, 0, (2, 0), 1.0, (0, 0), (4, 8))
        tensor([[ 1.0000,  0.0000, -0.5000,  0.0000,  1.0000,  0.0000]],
               dtype=torch.float64)

    Source: torchvision, `_get_inverse_affine_matrix`.
    """
    check_ndim(family, TOOL)
    height, width = coordinates.check_size(size, 2)
    center = (width / 2, height / 2) if center is None else center
    for expected, pair in (
        ("translate: expected 2 finite numbers", translate),
        ("shear: expected 2 finite numbers", shear),
        ("center: expected 2 finite numbers", center),
    ):
        if not isinstance(pair, Sequence) or len(pair) != 2 or not all(map(is_finite_number, pair)):
            raise InputError(f"{expected}, got {pair!r}")
    if not is_finite_number(angle):
        raise InputError(f"angle: expected a finite number, got {angle!r}")
    if not is_finite_number(scale) or not scale > 0:
        raise InputError(f"scale: expected a finite number above 0, got {scale!r}")
    turn, along_x, along_y = (math.radians(degrees) for degrees in (angle, *shear))
    linear = torch.eye(2, dtype=torch.float64)
    tilted = turn - along_y
    linear[:, 0] = linear.new_tensor([math.cos(tilted), math.sin(tilted)]) / math.cos(along_y)
    linear[:, 1] = linear.new_tensor([-math.sin(turn), math.cos(turn)]) - linear[:, 0] * math.tan(along_x)
    middle = torch.tensor(center, dtype=torch.float64)
    shift = middle + torch.tensor(translate, dtype=torch.float64) - scale * linear @ middle
    matrix = torch.linalg.inv(coordinates.homogeneous(scale * linear[None], shift[None]))
    return theta_of_pixel_matrix(family, from_edges(matrix), size, size)
