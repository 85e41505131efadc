"""Pinned control points, which are no entries of θ."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

import stnkit
from stnkit.families import PinnedPoints

BORDER = torch.tensor([True, False, False, True, True])


@settings(max_examples=50, deadline=None)
@given(indices=st.lists(st.integers(0, 7), min_size=1, max_size=7, unique=True), ndim=st.integers(2, 3))
def test_completed_values_are_the_given_and_the_resting_ones(indices, ndim):
    points = PinnedPoints(indices, torch.zeros(8, dtype=torch.bool))
    assert points.indices == tuple(sorted(indices))
    assert points.free.tolist() == [k for k in range(8) if k not in indices]
    values, resting = torch.rand(2, ndim, len(points.free)), torch.rand(ndim, 8)
    completed = points.completed(values, resting)
    assert torch.equal(completed[:, :, points.free], values)
    assert torch.equal(completed[:, :, list(points.indices)], resting[:, list(points.indices)].expand(2, -1, -1))


def test_borders_are_the_points_of_the_mask():
    points = PinnedPoints("borders", BORDER)
    assert (points.indices, points.free.tolist()) == ((0, 3, 4), [1, 2])


def test_without_pinned_points_values_are_handed_on():
    points, values = PinnedPoints(None, BORDER), torch.rand(2, 2, 5)
    assert (points.indices, points.free.tolist()) == ((), [0, 1, 2, 3, 4])
    assert points.completed(values, torch.zeros(2, 5)) is values


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("pinned", [[], [5], [-1], [1, 1], [True], [1.0], "border", "", 3, ["0"]], ids=str)
def test_what_names_no_points_is_refused_in_one_sentence(pinned):
    with pytest.raises(
        stnkit.errors.InputError, match=r"pinned: expected borders, or different .* 0 to 4, got"
    ) as said:
        PinnedPoints(pinned, BORDER)
    assert "\n" not in str(said.value)


def test_pinning_every_point_is_refused():
    with pytest.raises(stnkit.errors.InputError, match=r"pinned: expected a control point that is free, got .*all 5"):
        PinnedPoints([4, 3, 2, 1, 0], BORDER)


@pytest.mark.parametrize(
    "transform",
    ["bspline", "displacement", "piecewise_affine", {"name": "bspline", "pinned": [0, 9]}, {"name": "bounded"}],
    ids=str,
)
def test_fake_tensors_have_no_values_and_need_none(transform):
    with FakeTensorMode():
        family, sampler = stnkit.build("transform", transform), stnkit.build("sampler", "bilinear")
        theta, images = torch.rand(2, family.n_params), torch.rand(2, 1, 8, 8)
        assert stnkit.warp(family, theta, images, sampler).shape == (2, 1, 8, 8)
    assert family.n_params == stnkit.build("transform", transform).n_params
