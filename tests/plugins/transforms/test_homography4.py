import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit
from stnkit.coordinates import OUTSIDE

CORNERS = torch.tensor([[-1, -1], [1, -1], [-1, 1], [1, 1]], dtype=torch.float64)


def theta_of(corners):
    """θ for which the corners (top left, top right, bottom left, bottom right) are the source corners."""
    return (torch.as_tensor(corners, dtype=torch.float64) - CORNERS).T.reshape(1, 8)


@pytest.fixture
def family():
    return stnkit.build("transform", "homography4")


CONVEX = {
    "itself": [(-1, -1), (1, -1), (-1, 1), (1, 1)],
    "perspective": [(-0.3, -1), (0.4, -0.8), (-1, 1), (1, 0.9)],
    "tiny": [(0.5, 0.5), (0.501, 0.5), (0.5, 0.502), (0.5012, 0.5021)],
    "mirrored": [(1, -1), (-1, -0.7), (0.8, 1), (-0.9, 1)],
    "upside down": [(-1, 1), (1, 1), (-1, -1), (1, -1)],
    "half a turn": [(1, 1), (-1, 1), (1, -1), (-1, -1)],
    "far": [(900, 900), (1000, 900), (900, 1000), (1010, 1010)],
}


@pytest.mark.parametrize("corners", CONVEX.values(), ids=CONVEX.keys())
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_corners_go_where_theta_says(family, corners, dtype, tolerance):
    source = family(theta_of(corners).to(dtype), CORNERS.to(dtype)[None])
    expected = torch.tensor([corners], dtype=torch.float64)
    assert ((source - expected).abs() / expected.abs().clamp(min=1)).max() < tolerance


@pytest.mark.parametrize("corners", CONVEX.values(), ids=CONVEX.keys())
def test_the_matrix_is_that_of_the_linear_system(family, corners):
    rows, values = [], []
    for (x, y), (u, v) in zip(CORNERS.tolist(), corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solved = torch.linalg.solve(torch.tensor(rows, dtype=torch.float64), torch.tensor(values, dtype=torch.float64))
    matrix = family.matrix(theta_of(corners))[0].flatten()
    assert matrix[8] > 0
    assert ((matrix / matrix[8])[:8] - solved).abs().max() < 1e-9 * solved.abs().max()


DEGENERATE = {
    "all at one point": [(0.25, 0.5)] * 4,
    "all at zero": [(0, 0)] * 4,
    "on a horizontal line": [(-1, 0.125), (1, 0.125), (-0.5, 0.125), (0.75, 0.125)],
    "on a slanted line": [(-1, -0.3), (1, 0.3), (-0.5, -0.15), (0.7, 0.21)],
    "three on a line": [(-1, -1), (0, -1), (1, -1), (1, 1)],
    "three on the diagonal": [(-1, -1), (1, -1), (0, 0), (1, 1)],
    "a corner on the diagonal": [(0, 0), (1, -1), (-1, 1), (1, 1)],
    "two neighbors at one point": [(-1, -1), (-1, -1), (-1, 1), (1, 1)],
    "opposite corners at one point": [(0.5, 0.5), (1, -1), (-1, 1), (0.5, 0.5)],
    "two pairs at two points": [(-1, 0), (1, 0), (-1, 0), (1, 0)],
    "three at one point": [(1, 1), (1, 1), (1, 1), (-1, -1)],
    "a bow tie": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
    "not convex": [(0.5, 0.5), (1, -1), (-1, 1), (1, 1)],
    "nearly on a line": [(-1, 0), (1, 1e-14), (-0.5, 0), (0.7, -1e-13)],
    "nearly on a line, in float32": [(-1, 0), (1, 1e-7), (-0.5, 0), (0.7, -1e-6)],
    "nearly at one point": [(0, 0), (1e-9, 0), (0, 1e-9), (1e-9, 1e-9)],
    "farther than there is": [(-1e30, -1e30), (1e30, -1e30), (-1e30, 1e30), (1e30, 1e30)],
    "one corner far": [(-1e30, 1e30), (1, -1), (-1, 1), (1, 1)],
}


@pytest.mark.parametrize("corners", DEGENERATE.values(), ids=DEGENERATE.keys())
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_corners_give_finite_grids_and_gradients(family, corners, dtype):
    theta = theta_of(corners).to(dtype).requires_grad_()
    sampler = stnkit.build("sampler", "bilinear")
    image = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=dtype)
    for size in [(8, 6), (7, 7), (1, 5), (64, 64)]:
        grid = family.grid(theta, size)
        assert grid.isfinite().all()
        for loss in (grid.sum(), grid.square().mean(), sampler(image, grid).sum()):
            (gradient,) = torch.autograd.grad(loss, theta, retain_graph=True)
            assert gradient.isfinite().all()
    source = family(theta, CORNERS.to(dtype)[None])
    assert source.isfinite().all()
    assert torch.autograd.grad(source.sum(), theta)[0].isfinite().all()
    found = family.inverse(theta, torch.tensor([[[0.1, 0.2], [0.2, 0.3]]], dtype=dtype))
    assert torch.autograd.grad(found.nansum(), theta)[0].isfinite().all()
    assert torch.autograd.grad(family.compose(theta, theta).nansum(), theta)[0].isfinite().all()


@pytest.mark.parametrize("name", ["all at one point", "all at zero", "on a horizontal line"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_four_corners_on_one_line_show_nothing(family, name, dtype):
    grid = family.grid(theta_of(DEGENERATE[name]).to(dtype), (5, 6))
    assert (grid == OUTSIDE).all()


def test_two_neighbors_at_one_point_show_that_point_alone(family):
    grid = family.grid(theta_of(DEGENERATE["two neighbors at one point"]), (5, 6))
    assert (grid == -1).all()


def test_a_concave_quadrilateral_is_right_up_to_the_horizon(family):
    corners = DEGENERATE["not convex"]
    source = family(theta_of(corners), CORNERS[None])[0]
    # The corner across from the concave one is on the other side of the horizon than the center.
    assert (source[3] == OUTSIDE).all()
    assert (source[:3] - torch.tensor(corners[:3], dtype=torch.float64)).abs().max() < 1e-12


def test_a_composition_that_takes_a_corner_to_infinity_is_nan(family):
    # The horizon of the outer map passes through (1, 1), where the inner one leaves the last corner.
    outer = family.from_matrix(torch.tensor([[[1.0, 0, 0], [0, 1, 0], [-0.4, -0.4, 1]]], dtype=torch.float64))
    inner = theta_of([(-1, -1), (1, -1), (-1, 1), (1.25, 1.25)])
    assert family.compose(outer, inner).isnan().all()
    assert family.compose(outer, inner / 2).isfinite().all()


def test_the_gradient_of_a_corner_is_one_for_itself(family):
    theta = torch.zeros(1, 8, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda theta: family(theta, CORNERS[None]), theta)
    # Of (1, corner, coordinate, 1, place in θ), planar: place 4·coordinate + corner.
    expected = torch.eye(8, dtype=torch.float64).view(2, 4, 8).transpose(0, 1)
    assert (jacobian[0, :, :, 0] - expected).abs().max() < 1e-12


@given(st.lists(st.floats(-0.45, 0.45), min_size=8, max_size=8))
@settings(max_examples=40, deadline=None)
def test_displacements_under_half_the_side_keep_all_in_front(entries):
    # (Corners moved by less than half of the half-side keep the quadrilateral convex.)
    family, theta = stnkit.build("transform", "homography4"), torch.tensor([entries], dtype=torch.float64)
    source = family(theta, CORNERS[None])
    assert (source - CORNERS - theta.view(2, 4).T).abs().max() < 1e-10
    # The center goes to where the diagonals of the source quadrilateral cross.
    center = family(theta, torch.zeros(1, 1, 2, dtype=torch.float64))[0, 0]
    for a, b in ((0, 3), (1, 2)):
        along, across = source[0, b] - source[0, a], center - source[0, a]
        assert abs(along[0] * across[1] - along[1] * across[0]) < 1e-10


def test_a_theta_of_infinity_is_no_worse_than_nan(family):
    theta = torch.full((1, 8), math.inf)
    assert family.grid(theta, (3, 3)).isfinite().all()
