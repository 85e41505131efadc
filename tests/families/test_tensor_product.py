"""A displaced lattice is the sum over all control points, with the lattice itself unrounded."""

import pytest
import torch
from torch.autograd import gradcheck

import stnkit

# Counts of control points and pixels.
CASES = [((4, 5), (7, 3)), ((1, 2), (1, 1)), ((2, 3, 4), (4, 3, 5)), ((1, 1, 1), (2, 1, 3))]


@stnkit.families.cached
def powers(n_points, n_pixels, dtype, device):
    """1, x, x² …: functions that depend on their number and place, unlike their mirror images."""
    exponents = torch.arange(n_points, dtype=dtype, device=device)
    return stnkit.coordinates.axis(n_pixels, dtype=dtype, device=device)[:, None] ** exponents


def random_displacements(counts, batch=2, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, len(counts), *counts, generator=generator, dtype=dtype)


@pytest.mark.parametrize(("counts", "size"), CASES, ids=str)
def test_it_is_the_sum_over_all_control_points(counts, size):
    displacements = random_displacements(counts)
    points = stnkit.coordinates.lattice(size, dtype=torch.float64)
    expected = points.expand(2, *points.shape).clone()
    for index in torch.cartesian_prod(*(torch.arange(n) for n in counts)).tolist():
        # x is the last axis, and the first coordinate.
        factor = torch.stack([points[..., -1 - axis] ** k for axis, k in enumerate(index)]).prod(dim=0)
        expected += factor[..., None] * displacements[(slice(None), slice(None), *index)].view(2, *[1] * len(size), -1)
    grid = stnkit.families.displaced_lattice(displacements, size, powers)
    torch.testing.assert_close(grid, expected, atol=1e-13, rtol=0)


@pytest.mark.parametrize(("counts", "size"), CASES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_lattice_is_not_rounded_where_nothing_is_displaced(counts, size, dtype):
    grid = stnkit.families.displaced_lattice(torch.zeros(1, len(counts), *counts, dtype=dtype), size, powers)
    assert torch.equal(grid[0], stnkit.coordinates.lattice(size, dtype=dtype))


@pytest.mark.parametrize(("counts", "size"), CASES, ids=str)
def test_its_gradients_agree_with_finite_differences(counts, size):
    displacements = random_displacements(counts).requires_grad_()
    assert gradcheck(lambda u: stnkit.families.displaced_lattice(u, size, powers), displacements)


@pytest.mark.parametrize(("counts", "size"), CASES, ids=str)
def test_an_empty_batch_gives_an_empty_grid(counts, size):
    assert stnkit.families.displaced_lattice(random_displacements(counts, batch=0), size, powers).shape == (
        0,
        *size,
        len(size),
    )


def test_the_displaced_lattice_is_contiguous():
    assert stnkit.families.displaced_lattice(random_displacements((4, 5)), (7, 3), powers).is_contiguous()
