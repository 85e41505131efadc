"""The flow of a velocity field by Picard iteration: few operations on many points, for programs that are exported."""

import functools
import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

# Equal parts of the time, and the nodes in each from one iteration to the next. The last number bounds the error where
# a field has kinks, the number of iterations where it is smooth.
WINDOWS, NODES = 8, (4, 8, 16, 32)

# (B, ndim, N, M) points -> (B, ndim, N, M) velocities.
Field = Callable[[Tensor], Tensor]


def picard(field: Field, points: Float[Tensor, "B ndim N"]) -> Float[Tensor, "B ndim N"]:
    """p(1) of p(t) = p(0) + ∫₀ᵗ v(p(s)) ds, with the velocities of the last iteration under the integral.

    In each of 8 parts of the time the nodes of an iteration are the middles of equal cells, and the integral is that of
    the parabolas through three neighboring ones. No step depends on where a trajectory crosses a kink of the field.

    Args:
        field: v, a function of points.
        points: p(0).

    Example:
        >>> import torch
        >>> end = picard(lambda p: p, torch.ones(1, 1, 1))
        >>> abs(end.item() - torch.e) < 1e-5
        True

    Source: Hairer, Nørsett, Wanner 1993, Solving Ordinary Differential Equations I, section I.8.
    """
    counts = [1, *NODES, 0]
    integrals = [
        torch.tensor(_integrals(n, targets), dtype=points.dtype, device=points.device).T / WINDOWS
        for n, targets in itertools.pairwise(counts)
    ]
    start = points[..., None]
    velocities = field(start)
    for _ in range(WINDOWS):
        for integral in integrals[:-1]:
            velocities = field(start + velocities @ integral)
        start = start + velocities @ integrals[-1]
        # The next part begins about as fast as this one ends.
        velocities = velocities[..., -1:]
    return start[..., 0]


@functools.lru_cache(maxsize=16)
def _integrals(n: int, targets: int) -> list[list[float]]:
    """Weights of n values of a function for its integral from 0 to each target, in a unit of time.

    Args:
        n: number of nodes, the middles of as many cells.
        targets: number of targets, the middles likewise; 0 for the end alone.
    """
    ends = [(i + 0.5) / targets for i in range(targets)] if targets else [1.0]
    weights = []
    for end in ends:
        row = [0.0] * n
        for cell in range(n):
            low, high = cell - 0.5, min(end * n - 0.5, cell + 0.5)
            if high <= low:
                break
            for node, weight in _parabola(cell, n, low, high):
                row[node] += weight / n
        weights.append(row)
    return weights


def _parabola(cell: int, n: int, low: float, high: float) -> list[tuple[int, float]]:
    """Nodes around a cell and their weights for the integral of a function between two positions in units of cells."""
    if n < 3:
        return [(cell, high - low)]
    middle = min(max(cell, 1), n - 2)
    a, b = low - middle, high - middle
    first, second, third = b - a, (b**2 - a**2) / 2, (b**3 - a**3) / 3
    return [(middle - 1, (third - second) / 2), (middle, first - third), (middle + 1, (third + second) / 2)]
