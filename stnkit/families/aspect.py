"""The aspect of images and volumes, with which rotations are rigid in pixels."""

import math
from collections.abc import Sequence
from typing import Any

from stnkit import coordinates
from stnkit.errors import InputError
from stnkit.families.dimensions import DimensionsError

# The largest ratio of two sides.
LARGEST = 1e3


def chosen_aspect(
    aspect: float | Sequence[float] | None, in_shape: Sequence[int] | None, ndim: int
) -> tuple[float | tuple[float, ...], dict[str, Any]]:
    """The aspect of a family, and what of it was taken from the images, its `options_from_images`.

    Of images it is the width divided by the height, of volumes the sides (width, height, depth) up to a factor.

    Args:
        aspect: as the user gives it, in any unit; None is that of the images, in pixels or voxels.
        in_shape: (C, *size) of the images; None, where there are none, for equal sides.
        ndim: number of dimensions, 2 or 3.

    Raises:
        InputError: when the aspect is not a number between 0.001 and 1000, or of volumes three numbers with such
            ratios, or the shape is not that of images of `ndim` dimensions.

    Example:
        >>> chosen_aspect(None, (1, 20, 28, 42), 3)
        ((42.0, 28.0, 20.0), {'aspect': [42.0, 28.0, 20.0]})
    """
    if in_shape is not None and len(in_shape) != ndim + 1:
        if len(in_shape) in (3, 4):
            expected = len(in_shape) - 1
            raise DimensionsError(f"ndim: expected {expected} for images of shape {list(in_shape)}, got {ndim}")
        raise InputError(f"in_shape: expected (C, {'H, W' if ndim == 2 else 'D, H, W'}), got {list(in_shape)}")
    if aspect is not None:
        return _check_aspect(aspect, ndim), {}
    if in_shape is None:
        return 1.0 if ndim == 2 else (1.0,) * ndim, {}
    if ndim == 2:
        taken = coordinates.check_aspect(in_shape[-1] / in_shape[-2])
        return taken, {"aspect": taken}
    sides = [float(n) for n in in_shape[:0:-1]]
    return _check_aspect(sides, ndim), {"aspect": sides}


def _check_aspect(aspect: float | Sequence[float], ndim: int) -> float | tuple[float, ...]:
    sides = tuple(aspect) if isinstance(aspect, Sequence) else ()
    if ndim == 2:
        if isinstance(aspect, Sequence):
            raise InputError(f"aspect: expected a number between 0.001 and 1000, got {list(aspect)}")
        return coordinates.check_aspect(aspect)
    if len(sides) != ndim or not all(0 < side <= LARGEST * min(sides) < math.inf for side in sides):
        told = list(sides) if isinstance(aspect, Sequence) else aspect
        raise InputError(f"aspect: expected the sides [width, height, depth], at most 1000 times another, got {told}")
    return sides
