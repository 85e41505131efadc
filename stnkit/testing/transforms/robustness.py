"""Checks of values that no family can map: NaN, infinity and very large numbers stay where they are."""

import torch

from stnkit.families.family import TransformFamily
from stnkit.testing.assertions import FLOAT64, ITERATED, close, finite, require
from stnkit.testing.component_under_test import ComponentUnderTest
from stnkit.testing.inputs import SIZE, gradient, points_of, theta_of


def large_theta(under_test: ComponentUnderTest) -> None:
    """The grid and its gradient are finite for θ of any finite size in float32: a run may get there and come back."""
    family: TransformFamily = under_test.built()
    for spread in (1e2, 1e6, 1e15, 1e30, 1e38):
        theta = theta_of(family, batch=8, spread=spread, dtype=torch.float32).requires_grad_()
        grid = family.grid(theta, SIZE[family.ndim])
        finite(grid, f"the grid must be finite for θ of about {spread:g}")
        finite(gradient(grid.sum(), theta), f"the gradient of the grid must be finite for θ of about {spread:g}")


def nan_theta(under_test: ComponentUnderTest) -> None:
    """A θ with NaN or infinity has a finite grid, and changes neither grid nor gradient of the others of its batch."""
    family: TransformFamily = under_test.built()
    size = SIZE[family.ndim]
    # Sums over the pixels in float32 keep fewer digits.
    for dtype, tolerance in ((torch.float64, FLOAT64), (torch.float32, ITERATED)):
        good = theta_of(family, batch=1, dtype=dtype).requires_grad_()
        expected = family.grid(good, size)
        expected_gradient = gradient(expected.sum(), good)
        # In one entry, for some of the entries, and in all.
        entries = range(0, family.n_params, max(1, family.n_params // 16))
        for value in (torch.nan, torch.inf, -torch.inf):
            bad = good.detach().repeat(len(entries) + 1, 1)
            bad[range(len(entries)), entries] = value
            bad[-1] = value
            theta = torch.cat([good.detach(), bad]).requires_grad_()
            grid = family.grid(theta, size)
            finite(grid, f"the grid must be finite for θ with {value}")
            close(grid[:1], expected, tolerance, f"a θ with {value} must not change the grid of another")
            claim = f"a θ with {value} must not change the gradient of another"
            close(gradient(grid[:1].sum(), theta)[:1], expected_gradient, tolerance, claim)


def nan_points(under_test: ComponentUnderTest) -> None:
    """A point that is NaN maps to no point of the image, and neither it nor an infinite one changes another point."""
    family: TransformFamily = under_test.built()
    theta, points = theta_of(family), points_of(family)
    expected = family(theta, points)
    bad = points.clone()
    bad[0, 3], bad[0, 4, 0] = torch.nan, torch.inf
    found = family(theta, bad)
    inside = (found[:, 3].abs() <= 1).all(dim=-1)
    require(not inside.any(), "a point that is NaN must map to NaN or outside of the image")
    others = [i for i in range(points.shape[1]) if i not in (3, 4)]
    close(found[:, others], expected[:, others], FLOAT64, "a point with NaN or infinity must not change another")
