"""Derivatives of flows of piecewise affine fields: backward, forward, of each sample, and under transforms."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.plugins.transforms.cpab_cases import OPTIONS, cpab, drawn, points_within

# torch's first forward-mode derivative warns.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit")


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS[::3], ids=str)
def test_first_and_second_derivatives_are_those_of_differences(options):
    family = cpab(**options)
    theta, points = drawn(family, n=1).requires_grad_(), points_within(1.1, n=3).requires_grad_()
    assert torch.autograd.gradcheck(family, (theta, points), fast_mode=True)
    assert torch.autograd.gradgradcheck(family, (theta, points), fast_mode=True)
    assert torch.autograd.gradcheck(lambda t: family.grid(t, (3, 4)), (theta,), fast_mode=True)


@pytest.mark.parametrize("volume", [False, True])
def test_a_first_call_under_a_transform_leaves_no_trace(volume):
    family, points = cpab(volume_preserving=volume), points_within(0.9, n=3)
    theta = drawn(family, n=1).requires_grad_()
    (transformed,) = torch.func.vjp(lambda p: family(theta, p).sum(), points)[1](torch.ones((), dtype=torch.float64))
    plain = points.clone().requires_grad_()
    family(theta, plain).sum().backward()
    torch.testing.assert_close(transformed, plain.grad)
    assert theta.grad.isfinite().all()


def test_a_first_call_with_fake_tensors_leaves_no_trace():
    family, points = cpab(), points_within(0.9, n=3)
    theta = drawn(family, n=1)
    with FakeTensorMode(allow_non_fake_inputs=True):
        family(theta, points)
    torch.testing.assert_close(family(theta, points), cpab()(theta, points))


@pytest.mark.slow
def test_forward_mode_gives_the_gradients_of_backward():
    family, points = cpab(), points_within(1.0, n=3)
    theta = drawn(family, n=1)
    backward = torch.autograd.functional.jacobian(lambda t: family(t, points), theta)
    torch.testing.assert_close(torch.func.jacfwd(lambda t: family(t, points))(theta), backward, atol=1e-10, rtol=0)


def per_row(function, *rows):
    """A function of one row of each, for each row, without vmap."""
    found = [function(*(t.detach() for t in row)) for row in zip(*rows, strict=True)]
    return tuple(map(torch.stack, zip(*found, strict=True)))


@pytest.mark.slow
@pytest.mark.parametrize("options", OPTIONS[::3], ids=str)
def test_gradients_of_each_sample_are_those_of_it_alone(options):
    family = cpab(**options)
    theta, points = drawn(family, n=3), points_within(1.1).expand(3, -1, -1).contiguous()

    def loss(theta, points):
        return family(theta[None], points[None]).square().sum() + family.grid(theta[None], (3, 4)).sin().sum()

    gradients = torch.func.grad(loss, argnums=(0, 1))
    torch.testing.assert_close(torch.func.vmap(gradients)(theta, points), per_row(gradients, theta, points))
    shared = torch.func.vmap(gradients, in_dims=(0, None))(theta, points[0])
    torch.testing.assert_close(shared, per_row(gradients, theta, points))
    nested = torch.func.vmap(torch.func.vmap(gradients))(theta[None], points[None])
    torch.testing.assert_close(nested, tuple(t[None] for t in shared))
    total = torch.func.grad(lambda theta: torch.func.vmap(loss)(theta, points).sum())(theta)
    torch.testing.assert_close(total, shared[0])


def test_no_second_derivative_within_vmap_is_one_sentence():
    family = cpab()
    theta = drawn(family)

    def loss(theta):
        return family.grid(theta[None], (3, 4)).square().sum()

    with pytest.raises(NotImplementedError, match=r"^stnkit::flow: expected one derivative, got a second one"):
        torch.func.vmap(torch.func.grad(lambda t: torch.func.grad(loss)(t).sum()))(theta)
    with pytest.raises(NotImplementedError, match=r"^stnkit::flow: expected no level of forward-mode AD"):
        torch.func.vmap(torch.func.jacfwd(loss))(theta)
