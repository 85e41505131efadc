"""Checks of the points and grids that a family gives: their shapes, batches, and agreement with each other."""

import contextlib

import torch

from stnkit import coordinates
from stnkit.errors import DoesNotComposeError
from stnkit.families.family import TransformFamily
from stnkit.testing.assertions import FLOAT32, FLOAT64, ITERATED, close, finite, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, gradient, lattice_points, points_of, row_by_row, theta_of, uniform

# Not square, and with axes of a single pixel.
SIZES: dict[int, list[tuple[int, ...]]] = {
    2: [(7, 3), (2, 9), (1, 6), (6, 1), (1, 1)],
    3: [(2, 4, 3), (1, 3, 1), (4, 1, 2), (1, 1, 1)],
}


def shapes(under_test: ComponentUnderTest) -> None:
    """forward: θ (B, P) and points (1, N, ndim) or (B, N, ndim) give (B, N, ndim), each row by its own θ and points."""
    family: TransformFamily = under_test.built()
    theta, points = theta_of(family), points_of(family, batch=3)
    found = family(theta, points)
    shape, expected = tuple(found.shape), tuple(points.shape)
    require(shape == expected, f"forward: expected points of shape {expected}, got {shape}")
    claim = "forward must map each set of points by the θ of its row"
    close(found, row_by_row(family, theta, points), FLOAT64, claim)
    claim = "one set of points, (1, N, ndim), must serve every θ"
    shared = torch.cat([family(row[None], points[:1]) for row in theta])
    close(family(theta, points[:1]), shared, FLOAT64, claim)


def grid_sizes(under_test: ComponentUnderTest) -> None:
    """grid(θ, size) has shape (B, *size, ndim) and is finite for any size, not square and with axes of one pixel."""
    family: TransformFamily = under_test.built()
    theta = theta_of(family)
    for size in SIZES[family.ndim]:
        grid = family.grid(theta, size)
        shape, expected = tuple(grid.shape), (len(theta), *size, family.ndim)
        require(shape == expected, f"the grid of {list(size)}: expected shape {expected}, got {shape}")
        finite(grid, f"the grid of {list(size)} must be finite")


def empty_batch(under_test: ComponentUnderTest) -> None:
    """A batch of no θ has an empty grid and empty points, inverse and composition, of the right shape."""
    family: TransformFamily = under_test.built()
    theta, points, size = torch.zeros(0, family.n_params), points_of(family).float(), SIZE[family.ndim]
    found = {
        "grid": (family.grid(theta, size), (0, *size, family.ndim)),
        "forward": (family(theta, points), (0, points.shape[1], family.ndim)),
        "inverse": (family.inverse(theta, points), (0, points.shape[1], family.ndim)),
    }
    with contextlib.suppress(DoesNotComposeError):
        found["compose"] = (family.compose(theta, theta), (0, family.n_params))
    for name, (result, expected) in found.items():
        shape = tuple(result.shape)
        require(shape == expected, f"{name} of an empty batch: expected shape {expected}, got {shape}")


def batch_independence(under_test: ComponentUnderTest) -> None:
    """Element i of a batch is what the same θ gives alone."""
    family: TransformFamily = under_test.built()
    theta, points, size = theta_of(family, batch=4), points_of(family), SIZE[family.ndim]
    source = torch.cat([family(row[None], points) for row in theta])
    close(family(theta, points), source, FLOAT64, "forward must give each θ what it gives it alone")
    grids = torch.cat([family.grid(row[None], size) for row in theta])
    close(family.grid(theta, size), grids, FLOAT64, "grid must give each θ what it gives it alone")
    # Two rows: an inverse that iterates costs as much for one row as for many.
    theta = theta[:2]
    found = torch.cat([family.inverse(row[None], points) for row in theta])
    claim = "inverse must give each θ what it gives it alone"
    close(family.inverse(theta, points), found, ITERATED / 100, claim)


def forward_agrees_with_grid(under_test: ComponentUnderTest) -> None:
    """grid(θ, size) is forward on the pixel centers, in value and in its gradient to θ."""
    family: TransformFamily = under_test.built()
    size = SIZE[family.ndim]
    for spread in (0.02, 0.2):
        for dtype, tolerance in ((torch.float64, FLOAT64), (torch.float32, FLOAT32)):
            theta = theta_of(family, batch=1, spread=spread, dtype=dtype).requires_grad_()
            grid = family.grid(theta, size)
            points = coordinates.finite(family(theta, lattice_points(size, dtype))).view(grid.shape)
            close(grid, points, tolerance, "grid must be forward on the pixel centers")
            if dtype == torch.float64:
                weight = uniform(1, *size, family.ndim)
                ours, theirs = (gradient((source * weight).sum(), theta) for source in (grid, points))
                close(ours, theirs, FLOAT64, "the gradient of grid must be that of forward on the pixel centers")
