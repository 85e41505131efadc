"""Derivatives of the inverse of a family without a closed form: of every order and under every transform."""

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vmap

import stnkit
from tests.helpers import random_points, random_theta

STEP = 1e-5
# torch warns of a compiler of its own when it makes its rules for forward-mode AD.
pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")


class Learned(stnkit.TransformFamily):
    """A map with weights of its own, which come before and after θ."""

    n_params = 4

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.inner = nn.Parameter(torch.randn(2, 3, dtype=torch.float64, generator=generator))
        self.outer = nn.Parameter(0.1 * torch.randn(3, 2, dtype=torch.float64, generator=generator))

    def identity(self):
        return torch.zeros(4, dtype=torch.float64)

    def forward(self, theta, points):
        turned = torch.sin(2 * points) @ theta.view(-1, 2, 2)
        return points + torch.tanh(points @ self.inner + theta[:, None, :3]) @ self.outer + 0.3 * turned


FAMILIES = [
    ("tps", {}),
    ("tps", {"control_points": [2, 2, 2], "ndim": 3}),
    ("bspline", {}),
    ("displacement", {}),
    ("compose", {}),
    ("bounded", {"inner": "tps"}),
    (Learned, {}),
]
SMALL = [FAMILIES[0], FAMILIES[-1]]


def case(name, options):
    """A family, two θ near its identity, points that all share, and a direction for each."""
    family = name() if name is Learned else stnkit.build("transform", name, **options)
    theta = family.identity() + random_theta(family, batch=2, scale=0.04)
    points = random_points(family, batch=1, n=3, reach=0.5)
    return family, (theta, points), (random_theta(family, batch=2, scale=1.0, seed=2), torch.cos(7 * points))


def loss_of(family):
    return lambda theta, points: family.inverse(theta, points).square().sum()


def moved(inputs, directions, step):
    return tuple(x + step * d for x, d in zip(inputs, directions, strict=True))


def difference(function, inputs, directions):
    """The derivative along the directions, by central differences: one tensor of all results."""
    ahead, behind = (function(*moved(inputs, directions, step)) for step in (STEP, -STEP))
    return (ahead - behind) / (2 * STEP)


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


def along(function, directions, create_graph=False):
    """The derivative of a function along directions, by autograd, as a function."""

    def derivative(*inputs):
        at = [x if x.requires_grad else x.clone().requires_grad_() for x in inputs]
        found = torch.autograd.grad(function(*at), at, create_graph=create_graph)
        return sum((g * d).sum() for g, d in zip(found, directions, strict=True))

    return derivative


@pytest.mark.parametrize(("name", "options"), FAMILIES, ids=str)
def test_three_orders_are_those_of_finite_differences(name, options):
    family, inputs, directions = case(name, options)
    derivative = loss_of(family)
    for _ in range(3):
        lower, derivative = derivative, along(derivative, directions, create_graph=True)
        expected = difference(lower, inputs, directions).detach()
        torch.testing.assert_close(derivative(*inputs).detach(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("name", "options"), FAMILIES, ids=str)
def test_transforms_of_torch_func_give_what_autograd_gives(name, options):
    family, (theta, points), directions = case(name, options)
    inputs, loss = (theta, points), loss_of(family)
    at = [x.clone().requires_grad_() for x in inputs]
    expected = torch.autograd.grad(loss(*at), at)
    torch.testing.assert_close(grad(loss, (0, 1))(*inputs), expected)
    torch.testing.assert_close(jvp(loss, inputs, directions)[1], along(loss, directions)(*inputs).detach())
    torch.testing.assert_close(vmap(lambda row: family.inverse(row[None], points)[0])(theta), family.inverse(*inputs))
    each = vmap(grad(lambda row, shared: loss(row[None], shared)), (0, None))
    torch.testing.assert_close(each(theta, points), expected[0])
    torch.testing.assert_close(
        grad(lambda rows: vmap(lambda row: loss(row[None], points))(rows).sum())(theta), expected[0]
    )


@pytest.mark.parametrize(("name", "options"), SMALL, ids=str)
def test_every_hessian_is_the_same(name, options):
    family, (theta, points), _ = case(name, options)
    rows = theta[:1]

    def loss(rows):
        return loss_of(family)(rows, points)

    expected = torch.autograd.functional.hessian(loss, rows)
    for take in (hessian, lambda f: jacrev(jacrev(f)), lambda f: jacrev(jacfwd(f))):
        torch.testing.assert_close(take(loss)(rows), expected)
    torch.testing.assert_close(torch.autograd.functional.hessian(loss, rows, vectorize=True), expected)
    each = vmap(hessian(lambda row: loss(row[None])))(rows)
    torch.testing.assert_close(each, expected[:, :, 0])


def test_forward_mode_of_autograd_gives_the_same_tangent():
    family, inputs, directions = case(*FAMILIES[0])
    with forward_ad.dual_level():
        dual = [forward_ad.make_dual(x, d) for x, d in zip(inputs, directions, strict=True)]
        found = forward_ad.unpack_dual(loss_of(family)(*dual)).tangent
    torch.testing.assert_close(found, along(loss_of(family), directions)(*inputs).detach())


def test_many_gradients_at_a_time_are_those_of_each():
    family, (theta, points), _ = case(*FAMILIES[0])
    theta.requires_grad_()
    back = family.inverse(theta, points)
    upstream = torch.randn(3, *back.shape, dtype=back.dtype)
    (together,) = torch.autograd.grad(back, theta, upstream, is_grads_batched=True, retain_graph=True)
    each = [torch.autograd.grad(back, theta, direction, retain_graph=True)[0] for direction in upstream]
    torch.testing.assert_close(together, torch.stack(each))


def inverse_by_weights(family, inputs):
    """The loss of the inverse as a function of the weights of the map alone."""

    class Inverted(nn.Module):
        def __init__(self):
            super().__init__()
            self.family = family

        def forward(self, theta, points):
            return self.family.inverse(theta, points).square().sum()

    names = [name for name, _ in Inverted().named_parameters()]
    return lambda *weights: functional_call(Inverted(), dict(zip(names, weights, strict=True)), inputs)


def test_weights_of_the_map_have_the_gradient_too():
    family, inputs, _ = case(Learned, {})
    weights = [weight.detach().clone() for weight in family.parameters()]
    directions = [torch.sin(5 * weight) for weight in weights]
    loss = inverse_by_weights(family, inputs)
    expected = difference(loss, weights, directions)
    gradients = torch.autograd.grad(loss_of(family)(*inputs), tuple(family.parameters()))
    found = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
    torch.testing.assert_close(found, expected.detach(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(grad(loss, (0, 1))(*weights), gradients)
    torch.testing.assert_close(jvp(loss, tuple(weights), tuple(directions))[1], found)


def test_an_ensemble_of_weights_is_that_of_each():
    family, inputs, _ = case(Learned, {})
    loss = inverse_by_weights(family, inputs)
    weights = [torch.stack([weight.detach(), 0.5 * weight.detach()]) for weight in family.parameters()]
    together = vmap(grad(loss, (0, 1)))(*weights)
    for k in range(2):
        torch.testing.assert_close([g[k] for g in together], list(grad(loss, (0, 1))(*(w[k] for w in weights))))


def test_a_jvp_within_another_is_one_sentence():
    family, (theta, points), (direction, _) = case(*FAMILIES[0])

    def inner(rows):
        return jvp(lambda rows: family.inverse(rows, points), (rows,), (direction,))[1]

    with pytest.raises(NotImplementedError, match=r"^inverse: expected one level of torch.func.jvp, got one within"):
        jvp(inner, (theta,), (direction,))
