"""ITK's transforms of one vector for each point of a regular lattice: cubic B-splines and displacement fields."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from stnkit.errors import InputError
from stnkit.interop.itk.geometry import Geometry, transformed
from stnkit.interop.itk.transform import Transform

SPLINE, FIELD = "BSplineTransform", "DisplacementFieldTransform"


@dataclass(frozen=True, eq=False)
class Lattice:
    """x ↦ x + Σ_i v_i Π_d k(index_d(x) − i_d): vectors v on a lattice, k the cubic B-spline or the tent.

    Args:
        geometry: of the lattice, as of an image with one pixel for each point.
        vectors: physical, in the order of the array's pixels, components x first.
        is_spline: True for the cubic B-spline.
    """

    geometry: Geometry
    vectors: Float[np.ndarray, "K d"]
    is_spline: bool

    @property
    def transform(self) -> Transform:
        """ITK's transform: a spline holds all x components, then all y; a field the components of each point."""
        geometry = self.geometry
        fixed = (*geometry.size, *geometry.origin, *geometry.spacing, *geometry.direction)
        vectors = self.vectors.T if self.is_spline else self.vectors
        name = SPLINE if self.is_spline else FIELD
        return Transform(name, geometry.ndim, vectors.ravel(), np.array(fixed, dtype=np.float64))

    @property
    def points(self) -> Float[np.ndarray, "K d"]:
        """The physical points of the lattice, in the order of the vectors."""
        axes = [np.arange(n) for n in self.geometry.shape]
        index = np.stack(np.meshgrid(*axes, indexing="ij")[::-1], axis=-1).reshape(-1, self.geometry.ndim)
        return transformed(self.geometry.index_to_physical, index.astype(np.float64))

    def __call__(self, points: Float[np.ndarray, "N d"]) -> Float[np.ndarray, "N d"]:
        """The image of physical points; of points outside of the lattice they themselves, as in ITK.

        Inside is for a spline where four control points reach along each axis, for a field up to half a cell beyond the
        outermost cells, which go on there.
        """
        index = transformed(np.linalg.inv(self.geometry.index_to_physical), points)
        counts = np.array(self.geometry.size)
        # Rounding must not put the very edge outside.
        slack = 1e-9 * counts
        margin = 1.0 if self.is_spline else -0.5
        is_inside = (index >= margin - slack) & (index <= counts - 1 - margin + slack)
        inside = np.all(is_inside, axis=1, keepdims=True)
        first, weights = (_cubic if self.is_spline else _tent)(np.where(inside, index, margin), counts)
        vectors = self.vectors.reshape(*self.geometry.shape, -1)
        shift = np.zeros_like(points)
        for offsets in np.ndindex(*(weights.shape[-1],) * self.geometry.ndim):
            at = np.minimum(first + np.array(offsets), counts - 1)
            weight = math.prod(weights[:, axis, offset] for axis, offset in enumerate(offsets))
            shift += np.asarray(weight)[:, None] * vectors[tuple(at.T[::-1])]
        return np.where(inside, points + shift, points)


def spline_lattice(fixed: Geometry, counts: tuple[int, ...]) -> Geometry:
    """The lattice of `counts` cubic control points whose inner n − 3 spans cover an image.

    Args:
        fixed: of the image.
        counts: numbers of control points in the order of the array's axes, each at least 4.
    """
    spans = fixed.covered_by([n - 3 for n in counts])
    # From the center of the first span to its beginning and on by one spacing.
    first = transformed(spans.index_to_physical, np.full((1, fixed.ndim), -1.5))
    return Geometry(counts[::-1], spans.spacing, tuple(first[0].tolist()), fixed.direction)


def lattice_of(transform: Transform) -> Lattice | None:
    """The lattice of a B-spline or a displacement field; None for any other transform.

    Args:
        transform: any.

    Raises:
        InputError: when its fixed parameters are not those of a lattice, or its parameters not as many as its vectors.
    """
    if transform.name not in (SPLINE, FIELD):
        return None
    n = transform.ndim
    fixed = transform.fixed_parameters
    if len(fixed) != n * (n + 3):
        raise InputError(f"{transform.type_name}: expected {n * (n + 3)} fixed parameters, got {len(fixed)}")
    size, origin, spacing, direction = np.split(fixed, [n, 2 * n, 3 * n])
    least = 4 if transform.name == SPLINE else 1
    if not ((size == size.round()) & (size >= least) & (size < 2**31)).all():
        told = f"at least {least} points along each axis, got {size.tolist()}"
        raise InputError(f"{transform.type_name}: expected a lattice of {told}")
    counts = tuple(size.astype(np.int64).tolist())
    geometry = Geometry(counts, *(tuple(each.tolist()) for each in (spacing, origin, direction)))
    n_vectors = math.prod(geometry.size)
    if len(transform.parameters) != n * n_vectors:
        told = f"got {len(transform.parameters)}"
        raise InputError(f"{transform.type_name}: expected {n} parameters for each of {n_vectors} points, {told}")
    is_spline = transform.name == SPLINE
    shape = (n, n_vectors) if is_spline else (n_vectors, n)
    vectors = transform.parameters.reshape(shape)
    return Lattice(geometry, vectors.T if is_spline else vectors, is_spline)


def _cubic(index: Float[np.ndarray, "N d"], counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first of four control points along each axis, and their weights."""
    first = np.clip(np.floor(index).astype(np.int64) - 1, 0, np.maximum(counts - 4, 0))
    distance = np.abs(index[..., None] - first[..., None] - np.arange(4))
    return first, (np.maximum(2 - distance, 0) ** 3 - 4 * np.maximum(1 - distance, 0) ** 3) / 6


def _tent(index: Float[np.ndarray, "N d"], counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first of two cells along each axis, and their weights."""
    index = np.clip(index, 0, counts - 1)
    first = np.clip(np.floor(index).astype(np.int64), 0, np.maximum(counts - 2, 0))
    second = index - first
    return first, np.stack([1 - second, second], axis=-1)
