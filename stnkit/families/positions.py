"""Positions of control points: on a regular lattice of the output, or scattered."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError

# Control points closer to each other than this coincide, and a point this close to a line or plane lies on it.
COINCIDENT = 1e-9
# In half images. Of points beyond, float32 tells no pixels apart.
FARTHEST = 1e6


def control_positions(control_points: Sequence[int] | Sequence[Sequence[float]], ndim: int) -> Float[Tensor, "K ndim"]:
    """The positions that the option `control_points` means, in float64: of a lattice in its order, x fastest.

    Args:
        control_points: numbers of points on a regular lattice over [-1, 1], ends included, [rows, columns] or
            [planes, rows, columns]; or the positions themselves, [x, y] or [x, y, z] each.
        ndim: number of dimensions.

    Raises:
        InputError: when they are neither, are too few, not within ±1e6, coincide, or lie on one line (plane).

    Example:
        >>> import stnkit
        >>> stnkit.families.control_positions([2, 2], 2).tolist()
        [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]]
    """
    counts = lattice_counts(control_points)
    if counts is not None:
        if len(counts) != ndim or any(n < 2 for n in counts):
            raise InputError(
                f"control_points: expected {ndim} whole numbers of at least 2, or positions, got {list(counts)}"
            )
        return lattice_positions(counts)
    points = [list(point) for point in control_points if isinstance(point, Sequence)]
    numbers = all(isinstance(x, int | float) for point in points for x in point)
    if not numbers or len(points) != len(control_points) or any(len(point) != ndim for point in points):
        raise InputError(
            f"control_points: expected {ndim} whole numbers, or a list of positions of {ndim} coordinates each, "
            f"got {control_points}"
        )
    positions = np.array(points, dtype=np.float64)
    if not (np.abs(positions) <= FARTHEST).all():
        raise InputError(f"control_points: expected finite positions within ±{FARTHEST:g}, got {control_points}")
    _check_distinct(positions)
    # An affine map is determined only if the differences of the points span all dimensions.
    if np.linalg.matrix_rank(positions - positions.mean(axis=0), tol=COINCIDENT) < ndim:
        kind = "line" if ndim == 2 else "plane"
        raise InputError(
            f"control_points: expected positions that do not lie on one {kind}, where no map is unique, "
            f"got {control_points}"
        )
    return torch.from_numpy(positions)


def lattice_counts(control_points: Sequence[int] | Sequence[Sequence[float]]) -> tuple[int, ...] | None:
    """The numbers of points of a lattice that the option `control_points` means, None for positions.

    Args:
        control_points: as `control_positions` takes it.
    """
    # `build` has checked that it is a list, but a type check samples one of its entries only.
    counts = [n for n in control_points if isinstance(n, int) and not isinstance(n, bool)]
    return tuple(counts) if len(counts) == len(control_points) else None


def lattice_positions(counts: Sequence[int]) -> Float[Tensor, "K ndim"]:
    """Points of a regular lattice over [-1, 1], ends included, x fastest.

    Args:
        counts: [rows, columns] or [planes, rows, columns], each at least 2.
    """
    axes = [torch.linspace(-1, 1, n, dtype=torch.float64) for n in counts]
    return coordinates.mesh(axes).view(-1, len(counts))


def spacing(positions: Float[Tensor, "K ndim"]) -> float:
    """The smallest distance of two points.

    Args:
        positions: of two points or more.
    """
    from scipy.spatial.distance import pdist  # slow to import, and only needed where positions are given

    return float(pdist(positions.numpy()).min())


def on_hull(positions: Float[Tensor, "K ndim"]) -> Bool[Tensor, "K"]:
    """The mask of the points on the border of the convex hull: of a lattice its outermost points.

    Args:
        positions: not all on one line (plane).
    """
    from scipy.spatial import ConvexHull  # slow to import, and only needed where borders are pinned

    with qhull_refusals(positions):
        facets = ConvexHull(positions.numpy()).equations
    distances = positions.numpy() @ facets[:, :-1].T + facets[:, -1]
    return torch.from_numpy(distances.max(axis=1) >= -COINCIDENT)


@contextlib.contextmanager
def qhull_refusals(positions: Float[Tensor, "K ndim"]) -> Iterator[None]:
    """Raise an InputError where Qhull, whose tolerance grows with the extent of the points, takes them for a line.

    Args:
        positions: that Qhull is given.
    """
    from scipy.spatial import QhullError  # slow to import, and only needed where positions are given

    try:
        yield
    except QhullError:
        raise InputError(
            "control_points: expected positions that do not lie on one line or plane but for rounding, got "
            f"{positions.tolist()}"
        ) from None


def _check_distinct(positions: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    first, second = np.triu_indices(len(positions), k=1)
    from scipy.spatial.distance import pdist  # slow to import, and only needed where positions are given

    together = np.flatnonzero(pdist(positions) <= COINCIDENT)
    if len(together):
        pairs = ", ".join(f"{first[k]} and {second[k]} at {positions[first[k]].tolist()}" for k in together)
        raise InputError(f"control_points: expected different positions, got coincident ones: {pairs}")
