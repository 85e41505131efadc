"""Linear families at scattered points: in chunks, evaluated again in the backward pass, or by local support."""

import functools
import math

import pytest
import scipy.interpolate
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import stnkit
from stnkit.families import scattered_basis
from tests.helpers import random_points, random_theta

FAMILIES = ["tps", "piecewise_affine"]
DENSE = 2**60


class LargestTensor(TorchDispatchMode):
    """The number of elements of the largest tensor that an operation makes."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        results = made if isinstance(made, (tuple, list)) else [made]
        # A broadcast view takes no memory.
        own = [0 if 0 in r.stride() else r.numel() for r in results if isinstance(r, torch.Tensor)]
        self.numel = max([self.numel, *own])
        return made


def case(name, batch, points_batch, n=40):
    family = stnkit.build("transform", name)
    theta = family.identity() + random_theta(family, batch)
    return family, theta.requires_grad_(), random_points(family, points_batch, n, reach=1.2).requires_grad_()


def derivatives(family, theta, points):
    """T, its gradient, and the gradient of a function of that."""
    source = family(theta, points)
    first = torch.autograd.grad(source.sin().sum(), (theta, points), create_graph=True)
    second = torch.autograd.grad(sum(g.square().sum() for g in first), (theta, points))
    return [source, *first, *second]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(("batch", "points_batch"), [(1, 1), (3, 3), (3, 1)])
@pytest.mark.parametrize("chunk", [200, 1000, 8000])
def test_chunks_change_no_value_and_no_derivative(name, batch, points_batch, chunk, monkeypatch):
    found, expected = [], []
    for results, n_bytes in ((expected, DENSE), (found, chunk)):
        monkeypatch.setattr(scattered_basis, "BASIS_CHUNK_BYTES", n_bytes)
        results += derivatives(*case(name, batch, points_batch))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


def test_a_spline_in_chunks_is_that_of_scipy(monkeypatch):
    monkeypatch.setattr(scattered_basis, "BASIS_CHUNK_BYTES", 1000)
    family, theta, points = case("tps", 1, 1, n=300)
    controls = family.control_points.numpy()
    spline = scipy.interpolate.RBFInterpolator(
        controls, theta[0].detach().view(2, -1).T.numpy(), kernel="thin_plate_spline", degree=1
    )
    expected = torch.from_numpy(spline(points[0].detach().numpy()))
    torch.testing.assert_close(family(theta, points)[0].detach(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_chunked_gradients_pass_gradcheck(name, monkeypatch):
    monkeypatch.setattr(scattered_basis, "BASIS_CHUNK_BYTES", 500)
    family, theta, points = case(name, 2, 2, n=5)
    assert torch.autograd.gradcheck(family, (theta, points))
    assert torch.autograd.gradgradcheck(family, (theta, points))


def by_batched_gradients(source, inputs):
    """The Jacobian, by one backward pass for all entries."""
    units = torch.eye(source.numel(), dtype=source.dtype).view(-1, *source.shape)
    return torch.autograd.grad(source, inputs, units, is_grads_batched=True)


def by_vmap(source, inputs):
    """The same by torch.func's vmap over a backward pass."""
    units = torch.eye(source.numel(), dtype=source.dtype).view(-1, *source.shape)
    return torch.func.vmap(lambda unit: torch.autograd.grad(source, inputs, unit, retain_graph=True))(units)


@pytest.mark.parametrize("jacobian", [by_batched_gradients, by_vmap])
@pytest.mark.parametrize(("batch", "points_batch"), [(2, 2), (2, 1)])
@pytest.mark.parametrize("name", FAMILIES)
def test_batched_gradients_are_those_of_the_whole_basis(name, batch, points_batch, jacobian, monkeypatch):
    found, expected = [], []
    for results, n_bytes in ((expected, DENSE), (found, 500)):
        monkeypatch.setattr(scattered_basis, "BASIS_CHUNK_BYTES", n_bytes)
        family, theta, points = case(name, batch, points_batch, n=7)
        results += jacobian(family(theta, points), (theta, points))
        of_theta = functools.partial(family, points=points.detach())
        results += [torch.autograd.functional.jacobian(of_theta, theta.detach(), vectorize=True)]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("only", ["theta", "points"])
def test_either_gradient_alone_is_right(only, monkeypatch):
    monkeypatch.setattr(scattered_basis, "BASIS_CHUNK_BYTES", 1000)
    family, theta, points = case("tps", 2, 1)
    both = dict(
        zip(("theta", "points"), torch.autograd.grad(family(theta, points).sum(), (theta, points)), strict=True)
    )
    inputs = {"theta": theta, "points": points}
    alone = family(*(tensor if name == only else tensor.detach() for name, tensor in inputs.items()))
    torch.testing.assert_close(torch.autograd.grad(alone.sum(), inputs[only])[0], both[only])


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_transforms_of_functions_see_the_same_map(monkeypatch):
    monkeypatch.setattr(scattered_basis, "BASIS_CHUNK_BYTES", 1000)
    family, theta, points = case("tps", 2, 2)
    theta, points = theta.detach(), points.detach()
    mapped = torch.func.vmap(lambda t, p: family(t[None], p[None])[0])(theta, points)
    torch.testing.assert_close(mapped, family(theta, points))
    _, tangent = torch.func.jvp(lambda t: family(t, points), (theta,), (torch.ones_like(theta),))
    # T is linear in θ: its derivative along 1 is T of θ = 1.
    torch.testing.assert_close(tangent, family(torch.ones_like(theta), points), rtol=0, atol=1e-10)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("stages", [["tps", "affine"], ["piecewise_affine", "affine"], ["affine", "tps"]])
def test_a_composed_grid_makes_no_basis_of_all_its_points(stages):
    family, size, batch = stnkit.build("transform", "compose", stages=stages), (160, 200), 4
    theta = (family.identity() + random_theta(family, batch, 0.02)).float().requires_grad_()
    coordinates = batch * 2 * math.prod(size)
    with LargestTensor() as largest:
        family.grid(theta, size).sum().backward()
    # The basis of all points, of 16 or 19 functions, is 8 times as large; a local one reads 3 for each coordinate.
    assert largest.numel <= max(3 * coordinates, 19 * math.prod(size))
