"""The inverse of piecewise affine maps between scattered points, inside and outside of their hull."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from .meshes import rand
from .scattered_meshes import in_hull, moved, positions, scattered

COUNTS = [(5, 2), (12, 2), (40, 2), (8, 3), (30, 3)]


@pytest.mark.parametrize(("n", "ndim"), COUNTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 2e-4)])
def test_inverse_undoes_forward_in_the_hull(n, ndim, dtype, tolerance):
    family = scattered(n, ndim)
    theta = moved(family).to(dtype)
    assert not family.folds(theta).any()
    points = torch.cat([in_hull(family), positions(family)])[None].to(dtype)
    back = family.inverse(theta, family(theta, points))
    # A third of a height apart, thin pieces move q by up to as much as rounding, over their height.
    assert (back - points).abs().max() <= tolerance


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(n=st.integers(4, 30), ndim=st.integers(2, 3), seed=st.integers(0, 10**6))
def test_inverse_is_right_inside_and_outside_of_any_mesh(n, ndim, seed):
    family = scattered(n, ndim, seed=seed)
    theta = moved(family, seed=seed)
    points = 1.5 * rand(1, 100, ndim, seed=seed)
    source = family(theta, points)
    back = family.inverse(theta, source)
    found = back.isfinite().all(dim=-1)
    again = family(theta, back.nan_to_num())
    assert ((again - source).abs().amax(dim=-1) <= 1e-6 * source.norm(dim=-1).clamp_min(1))[found].all()
    inside = torch.from_numpy(Delaunay(positions(family).numpy()).find_simplex(points[0].numpy()) >= 0)
    assert found[:, inside].all()
    # Extensions overlap or leave gaps, so not every point outside comes back.
    assert found.double().mean() > 0.6


def test_inverse_leads_to_extended_pieces_outside():
    family = scattered(20, corners=True)
    theta, points = moved(family), 2 * rand(1, 200, 2)
    back = family.inverse(theta, family(theta, points))
    assert ((back - points).abs().amax(dim=-1) <= 1e-9).double().mean() > 0.85


def test_inverse_of_a_folded_mesh_gives_one_right_answer():
    family = scattered(15, corners=True)
    theta = family.identity() + 0.8 * rand(3, family.n_params)
    assert family.folds(theta).any(dim=1).all()
    source = family(theta, rand(1, 200, 2, seed=1))
    back = family.inverse(theta, source)
    assert back.isfinite().all()
    assert back.abs().max() <= 1 + 1e-9
    assert (family(theta, back) - source).abs().max() <= 1e-7
