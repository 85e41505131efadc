"""The position of an image in physical space, as ITK describes it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float

from stnkit.errors import InputError


@dataclass(frozen=True)
class Geometry:
    """x = D·diag(spacing)·i + origin: the physical point x of pixel index i of an ITK image, everything x first.

    Args:
        size: numbers of pixels, (W, H) or (W, H, D): the reverse of an array's shape.
        spacing: distances of neighboring pixel centers, as of millimeters; by default 1.
        origin: the center of the first pixel, by default 0.
        direction: D, row by row as ITK's `GetDirection` has it; by default the identity. Its columns are the
            directions of the image's axes.

    Raises:
        InputError: when the size is not 2 or 3 positive whole numbers, a spacing is not positive, D is singular or a
            number is not finite, or one of them has another length.

    Example:
        >>> from stnkit.interop import itk
        >>> geometry = itk.Geometry((4, 2), spacing=(0.5, 2.0), origin=(10.0, 20.0))
        >>> geometry.normalized_to_physical.tolist()
        [[1.0, 0.0, 10.75], [0.0, 2.0, 21.0], [0.0, 0.0, 1.0]]

    Source: The ITK Software Guide, book 1, section 4.1.4, Defining Origin and Spacing.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...] = ()
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        size = _counts(self.size, "size", ", x first")
        n = len(size)
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "spacing", _numbers("spacing", self.spacing, (1.0,) * n))
        object.__setattr__(self, "origin", _numbers("origin", self.origin, (0.0,) * n))
        identity = tuple(np.eye(n).ravel().tolist())
        object.__setattr__(self, "direction", _numbers("direction", self.direction, identity))
        if min(self.spacing) <= 0:
            raise InputError(f"spacing: expected positive numbers, got {list(self.spacing)}")
        # The columns of a direction are unit vectors, so that its determinant has a scale.
        if abs(np.linalg.det(np.reshape(self.direction, (n, n)))) < 1e-9:
            raise InputError(f"direction: expected a matrix with an inverse, got {list(self.direction)}")

    @classmethod
    def of(cls, image: Any) -> "Geometry":
        """The geometry of an image of SimpleITK, or of any object with its four methods.

        Args:
            image: with `GetSize`, `GetSpacing`, `GetOrigin` and `GetDirection`.

        Raises:
            InputError: when it lacks one of them, or has another number of dimensions than 2 or 3.
        """
        methods = ("GetSize", "GetSpacing", "GetOrigin", "GetDirection")
        if not all(callable(getattr(image, method, None)) for method in methods):
            raise InputError(f"image: expected an image with {', '.join(methods)}, got {type(image).__name__}")
        return cls(*(tuple(getattr(image, method)()) for method in methods))

    @classmethod
    def normalized(cls, shape: Sequence[int]) -> "Geometry":
        """The geometry in which physical points are normalized ones: spacing 2/n, origin 1/n − 1, no direction.

        An array that is given this geometry in ITK is warped by θ as it is.

        Args:
            shape: of the array, (H, W) or (D, H, W).
        """
        size = _counts(shape, "shape")[::-1]
        return cls(size, tuple(2 / n for n in size), tuple(1 / n - 1 for n in size))

    def covered_by(self, shape: Sequence[int]) -> "Geometry":
        """The geometry of an image of another shape that covers the same box.

        Args:
            shape: of the array, (H, W) or (D, H, W).
        """
        size = _counts(shape, "shape")[::-1]
        first = transformed(self.normalized_to_physical, np.array([[1 / n - 1 for n in size]]))
        spacing = tuple(s * old / n for s, old, n in zip(self.spacing, self.size, size, strict=True))
        return Geometry(size, spacing, tuple(first[0].tolist()), self.direction)

    @property
    def ndim(self) -> int:
        """The number of dimensions, 2 or 3."""
        return len(self.size)

    @property
    def shape(self) -> tuple[int, ...]:
        """The size in the order of an array's axes, (H, W) or (D, H, W)."""
        return self.size[::-1]

    @property
    def index_to_physical(self) -> Float[np.ndarray, "rows rows"]:
        """V = [D·diag(spacing), origin; 0 1]."""
        return affine_matrix(np.reshape(self.direction, (self.ndim,) * 2) * self.spacing, np.array(self.origin))

    @property
    def normalized_to_physical(self) -> Float[np.ndarray, "rows rows"]:
        """G = V·N⁻¹: the homogeneous matrix from normalized to physical points, with N from pixel indices."""
        half = np.array(self.size) / 2
        return self.index_to_physical @ affine_matrix(np.diag(half), half - 0.5)


def affine_matrix(linear: Float[np.ndarray, "d d"], shift: Float[np.ndarray, "d"]) -> Float[np.ndarray, "rows rows"]:
    """[A t; 0 1].

    Args:
        linear: A.
        shift: t.
    """
    matrix = np.eye(len(shift) + 1)
    matrix[:-1, :-1], matrix[:-1, -1] = linear, shift
    return matrix


def transformed(matrix: Float[np.ndarray, "rows rows"], points: Float[np.ndarray, "N d"]) -> Float[np.ndarray, "N d"]:
    """A p + t for each point.

    Args:
        matrix: [A t; 0 1].
        points: p, one in each row.
    """
    return points @ matrix[:-1, :-1].T + matrix[:-1, -1]


def _counts(given: Any, name: str, order: str = "") -> tuple[int, ...]:
    """Numbers of pixels as a tuple."""
    counts: Sequence[int] = given.tolist() if isinstance(given, np.ndarray) else given
    # The rest of infinity is NaN.
    whole = isinstance(counts, Sequence) and all(isinstance(n, Real) and n >= 1 and n % 1 == 0 for n in counts)
    if not whole or len(counts) not in (2, 3):
        raise InputError(f"{name}: expected 2 or 3 positive whole numbers{order}, got {given}")
    return tuple(int(n) for n in counts)


def _numbers(name: str, given: Any, default: tuple[float, ...]) -> tuple[float, ...]:
    """`given`, flat, as floats; of the length of `default`, which stands for an empty one."""
    try:
        given_array = np.asarray(given)
        flat = [math.nan] if np.iscomplexobj(given_array) else given_array.astype(np.float64).ravel().tolist()
    except (TypeError, ValueError, OverflowError):
        flat = [math.nan]
    if not flat:
        return default
    if len(flat) != len(default) or not all(map(math.isfinite, flat)):
        raise InputError(f"{name}: expected {len(default)} finite numbers, got {given}")
    return tuple(flat)
