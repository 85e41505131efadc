"""Inverse and composition of the families of matrices."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit

from .matrix_cases import drawn, every, every_closed, random_points


@every
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_inverse_undoes_forward(case, dtype, tolerance):
    family, theta = case.build(), case.theta(dtype=dtype)
    points = random_points(family, dtype=dtype)
    found = family.inverse(theta, family(theta, points))
    assert found.dtype == dtype
    assert (found - points).abs().max() < tolerance


@every_closed
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_composition_is_one_map_after_the_other(case, dtype, tolerance):
    family = case.build()
    outer, inner = case.theta(seed=1, dtype=dtype), case.theta(seed=2, dtype=dtype)
    points = 0.5 * random_points(family, dtype=dtype)
    composed = family.compose(outer, inner)
    assert composed.dtype == dtype
    assert (family(composed, points) - family(outer, family(inner, points))).abs().max() < tolerance


@every_closed
def test_from_matrix_undoes_matrix(case):
    family, theta = case.build(), case.theta()
    matrix = family.matrix(theta)
    scales = (1.0,) if family.affine else (1.0, 7.0, -0.01)
    for scale in scales:
        assert (family.from_matrix(scale * matrix) - theta).abs().max() < 1e-12


@every_closed
def test_inverse_compose_and_second_gradients_pass_gradcheck(case):
    family, theta = case.build(), case.theta(batch=2).requires_grad_()
    points = random_points(family, batch=2, n=4).requires_grad_()
    size = (2, 3, 2)[-family.ndim :]
    assert torch.autograd.gradcheck(lambda theta, points: family.inverse(theta, points), (theta, 0.3 * points))
    assert torch.autograd.gradcheck(lambda outer: family.compose(outer, theta[:1].detach()), (theta[1:],))
    assert torch.autograd.gradgradcheck(lambda theta: family.grid(theta, size), (theta[:1],))


@every
def test_inverse_of_nonfinite_input_is_nan_with_finite_gradients(case):
    family = case.build()
    theta = case.theta(batch=2).requires_grad_()
    points = random_points(family)
    points[0, 0, 0] = math.nan
    points[0, 1, -1] = math.inf
    found = family.inverse(theta, points)
    assert found[:, :2].isnan().all()
    assert found[:, 2:].isfinite().all()
    (gradient,) = torch.autograd.grad(found[:, 2:].sum(), theta)
    assert gradient.isfinite().all()
    assert family.inverse(torch.full_like(theta, math.nan), points).isnan().all()


@every_closed
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_composition_with_the_inverse_is_the_identity(case, data):
    family, theta = drawn(case, data)
    back = family.from_matrix(torch.linalg.inv(family.matrix(theta)))
    points = random_points(family, n=9)
    for composed in (family.compose(back, theta), family.compose(theta, back)):
        assert (family(composed, points) - points).abs().max() < 1e-8


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity"])
def test_composed_angles_stay_between_minus_pi_and_pi(name):
    family = stnkit.build("transform", name)
    theta = family.identity()[None].clone()
    theta[0, 0] = 3.0
    composed = family.compose(theta, theta)
    assert composed[0, 0].item() == pytest.approx(6.0 - 2 * math.pi)


@pytest.mark.parametrize("name", ["rotation", "euclidean", "similarity"])
def test_composed_turns_of_a_volume_stay_within_half_a_turn(name):
    family = stnkit.build("transform", name, ndim=3)
    theta = family.identity()[None].clone()
    theta[0, :3] = 3.0 * torch.tensor([2.0, -1.0, 2.0], dtype=torch.float64) / 3
    composed = family.compose(theta, theta)
    assert torch.allclose(composed[0, :3], (1 - math.pi / 3) * 2 * theta[0, :3], rtol=0, atol=1e-12)
