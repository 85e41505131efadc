"""Every transform of torch.func, and forward-mode AD, of a native warp."""

import pytest
import torch
from torch.autograd import forward_ad

import stnkit
from tests.native.cases import (
    affine,
    bilinear,
    close,
    composite,
    grid_of,
    image_of,
    needs_library,
    theta_of,
)

# The warnings come from torch's first forward-mode derivative, and from the graph that its `linearize` makes.
pytestmark = [
    needs_library,
    pytest.mark.filterwarnings("ignore:`torch.jit.script`", "ignore:Attempted to insert a get_attr Node"),
]


TRANSFORMS = {
    "grad": lambda f, t: torch.func.grad(lambda x: f(x).square().sum())(t),
    "vjp": lambda f, t: torch.func.vjp(f, t)[1](torch.ones_like(f(t)))[0],
    "jvp": lambda f, t: torch.func.jvp(f, (t,), (torch.ones_like(t),))[1],
    "jacrev": lambda f, t: torch.func.jacrev(f)(t),
    "jacfwd": lambda f, t: torch.func.jacfwd(f)(t),
    "hessian": lambda f, t: torch.func.hessian(lambda x: f(x).square().sum())(t),
    "vmap": lambda f, t: torch.vmap(f)(torch.stack([t, 2 * t])),
    "linearize": lambda f, t: torch.func.linearize(f, t)[1](torch.ones_like(t)),
    "grad of grad": lambda f, t: torch.func.grad(
        lambda x: torch.func.grad(lambda y: f(y).square().sum())(x).square().sum()
    )(t),
    "vmap of grad": lambda f, t: torch.vmap(torch.func.grad(lambda x: f(x).square().sum()))(torch.stack([t, 2 * t])),
    "grad of vmap": lambda f, t: torch.func.grad(lambda x: torch.vmap(f)(torch.stack([x, 2 * x])).square().sum())(t),
    "jvp of grad": lambda f, t: torch.func.jvp(
        torch.func.grad(lambda x: f(x).square().sum()), (t,), (torch.ones_like(t),)
    )[1],
    "vmap of jvp": lambda f, t: torch.vmap(lambda x: torch.func.jvp(f, (x,), (torch.ones_like(x),))[1])(t[None]),
    "batched gradients": lambda f, t: batched_gradients(f, t),
    "dual level": lambda f, t: dual(f, t),
    "functional jacobian": lambda f, t: torch.autograd.functional.jacobian(f, t, vectorize=True),
    "forward-mode jacobian": lambda f, t: torch.autograd.functional.jacobian(
        f, t, vectorize=True, strategy="forward-mode"
    ),
}


def batched_gradients(f, t):
    t = t.clone().requires_grad_()
    out = f(t)
    return torch.autograd.grad(out, t, torch.stack([torch.ones_like(out), out.detach()]), is_grads_batched=True)[0]


def dual(f, t):
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(f(forward_ad.make_dual(t, torch.ones_like(t)))).tangent
    return torch.zeros_like(f(t)) if tangent is None else tangent


def outcome(transform, f, t):
    """The result, or the type of the error that torch raises."""
    try:
        return TRANSFORMS[transform](f, t)
    except (RuntimeError, NotImplementedError) as error:
        return type(error)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("argument", ["theta", "image", "grid"])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_transform_is_that_of_the_composite(transform, argument):
    family, sampler = affine(), bilinear()
    image, theta, grid = image_of(1, 1, 4, 5), theta_of(family, 1), grid_of(1, 3, 3)
    f, t = {
        "theta": (lambda x: stnkit.warp(family, x, image, sampler), theta),
        "image": (lambda x: stnkit.warp(family, theta, x, sampler), image),
        "grid": (lambda x: sampler(image, x), grid),
    }[argument]
    expected, found = composite(outcome, transform, f, t), outcome(transform, f, t)
    if isinstance(expected, type):
        assert found is expected
    else:
        close([found], [expected])
        assert transform in ("jvp of grad", "hessian", "grad of grad") or found.abs().max() > 0


@pytest.mark.no_jaxtyping
def test_a_functional_call_of_a_transformer_has_its_gradient():
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(1, 6, 6))
    transformer = stnkit.SpatialTransformer(localizer, affine(), bilinear())
    image, parameters = image_of(2, 1, 6, 6), dict(transformer.named_parameters())

    def loss(values):
        return torch.func.functional_call(transformer, values, (image,)).square().sum()

    found = torch.func.grad(loss)(parameters)
    expected = torch.autograd.grad(loss(parameters), list(parameters.values()))
    close(list(found.values()), expected)
