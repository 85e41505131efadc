"""The inverse of a piecewise affine map: a search for the piece, exact in it, NaN where nothing leads."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from .meshes import SHAPES, mesh, moved, positions, rand


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_inverse_undoes_forward_where_nothing_folds(shape, dtype, tolerance):
    family = mesh(shape)
    theta = moved(family, share=0.6).to(dtype)
    assert not family.folds(theta).any()
    points = torch.cat([rand(100, family.ndim), positions(family)])[None].to(dtype)
    back = family.inverse(theta, family(theta, points))
    assert back.dtype == dtype
    assert (back - points).abs().max() <= tolerance


@pytest.mark.parametrize("shape", [[4, 5], [8, 9], [5, 4, 6]], ids=str)
def test_inverse_at_the_border_survives_float32_rounding(shape):
    # The rounding moves their sources out of the image of the mesh, to where extensions may leave gaps.
    family = mesh(shape)
    theta = moved(family, n=60).float()
    points = positions(family)[(positions(family).abs() == 1).any(dim=1)][None].float()
    assert (family.inverse(theta, family(theta, points)) - points).abs().max() <= 1e-5


@settings(max_examples=40, deadline=None)
@given(
    shape=st.lists(st.integers(2, 6), min_size=2, max_size=3),
    seed=st.integers(0, 10**6),
    data=st.data(),
)
def test_inverse_undoes_forward_at_any_point_of_the_mesh(shape, seed, data):
    family = mesh(shape)
    theta = moved(family, seed=seed)
    coordinate = st.floats(-1, 1) | st.sampled_from([i / (n - 1) * 2 - 1 for n in shape for i in range(n)])
    points = data.draw(st.lists(st.tuples(*[coordinate] * family.ndim), min_size=1, max_size=6))
    points = torch.tensor(points, dtype=torch.float64)[None]
    assert (family.inverse(theta, family(theta, points)) - points).abs().max() <= 1e-9


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_inverse_leads_to_extended_pieces_outside(shape):
    family = mesh(shape)
    theta = moved(family, share=0.3)
    points = 2 * rand(1, 200, family.ndim)
    source = family(theta, points)
    back = family.inverse(theta, source)
    found = back.isfinite().all(dim=-1)
    # Extensions overlap or leave gaps, so not every point comes back, but what comes is right.
    assert found.double().mean() > 0.9
    assert (family(theta, back.nan_to_num()) - source)[found].abs().max() <= 1e-9
    again = (back - points).abs().amax(dim=-1) <= 1e-9
    assert again.double().mean() > 0.7


def test_inverse_is_nan_where_nothing_leads():
    family = mesh([2, 2])
    flat = torch.tensor([[-1.0, 1, -1, 1, 0, 0, 0, 0]])
    assert family.inverse(flat, torch.tensor([[[0.3, 0.5]]])).isnan().all()
    # Both triangles of a square and their extensions, cut along the diagonal, and the upper one turned over.
    family = mesh([2, 2])
    folded = family.identity()[None].clone()
    folded[0, 2], folded[0, 6] = 3.0, -1.0
    assert family.folds(folded).tolist() == [[False, True]]
    points = torch.tensor([[[-3.0, 2.0], [0.9, -0.9]]], dtype=torch.float64)
    back = family.inverse(folded, points)
    assert back[0, 0].isnan().all()
    assert (family(folded, back[:, 1:]) - points[:, 1:]).abs().max() <= 1e-12


@pytest.mark.parametrize("shape", [[4, 4], [8, 9], [3, 3, 3]], ids=str)
def test_inverse_of_a_folded_mesh_gives_one_right_answer(shape):
    family = mesh(shape)
    theta = family.identity() + 0.8 * rand(3, family.n_params)
    assert family.folds(theta).any(dim=1).all()
    source = family(theta, rand(1, 200, family.ndim, seed=1))
    back = family.inverse(theta, source)
    assert back.isfinite().all()
    assert back.abs().max() <= 1 + 1e-9
    assert (family(theta, back) - source).abs().max() <= 1e-7


def test_inverse_in_chunks_is_the_whole(monkeypatch):
    from stnkit_plugins.transforms import piecewise_affine

    family = mesh()
    theta, source = moved(family), rand(2, 50, 2)
    whole = family.inverse(theta, source)
    monkeypatch.setattr(piecewise_affine, "CHUNK_PAIRS", 7 * 2 * 18)
    assert torch.equal(family.inverse(theta, source).nan_to_num(), whole.nan_to_num())


@pytest.mark.parametrize("shape", [[3, 3], [2, 2, 2]], ids=str)
def test_gradient_of_the_inverse_agrees_with_finite_differences(shape):
    family = mesh(shape)
    theta = moved(family, share=0.5).requires_grad_()
    source = family(theta, 0.95 * rand(2, 5, family.ndim)).detach().requires_grad_()
    assert torch.autograd.gradcheck(family.inverse, (theta, source))


def test_gradient_of_the_inverse_is_finite_where_there_is_none():
    family = mesh([2, 2])
    theta = torch.tensor([[-1.0, 1, -1, 1, 0, 0, 0, 0]], requires_grad=True)
    source = torch.tensor([[[0.3, 0.5], [0.3, 0.0]]], requires_grad=True)
    family.inverse(theta, source).nan_to_num().sum().backward()
    assert theta.grad.isfinite().all()
    assert source.grad.isfinite().all()
