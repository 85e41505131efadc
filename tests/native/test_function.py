"""The native warp as a function that can be differentiated: by it where it can, by the composite path where not."""

import gc

import pytest
import torch

import stnkit
from tests.native.cases import (
    SAMPLERS,
    Count,
    affine,
    bilinear,
    close,
    composite,
    image_of,
    inputs,
    needs_library,
    theta_of,
)

# The warning comes from torch's first forward-mode derivative.
pytestmark = [needs_library, pytest.mark.filterwarnings("ignore:`torch.jit.script`")]


CASES = [(family, sampler) for family in ("affine", "projective", "tps") for sampler in SAMPLERS]


@pytest.mark.parametrize(("name", "sampler"), CASES)
def test_values_and_gradients_are_the_composites(name, sampler, monkeypatch):
    family, theta, image = inputs(name)

    def work():
        out = stnkit.warp(family, theta, image, SAMPLERS[sampler](), (5, 4))
        return out, *torch.autograd.grad(out, (theta, image), image_of(*out.shape, seed=3))

    expected, count = composite(work), Count(monkeypatch)
    close(work(), expected)
    assert (count.forward, count.backward) == (1, 1)


@pytest.mark.parametrize(("name", "sampler"), [("affine", "linear"), ("tps", "linear")])
def test_a_gradient_of_a_gradient_is_the_composites(name, sampler):
    family, theta, image = inputs(name)

    def work():
        out = stnkit.warp(family, theta, image, SAMPLERS[sampler]())
        given = image_of(*out.shape, seed=3).requires_grad_()
        first = torch.autograd.grad(out, (theta, image), given, create_graph=True)
        # With respect to what it is linear in: torch's own grid_sample has no other second derivative.
        return *first, *torch.autograd.grad([f.square().sum() for f in first], given)

    close(work(), composite(work), 1e-3)


def test_an_image_that_theta_depends_on_has_both_gradients():
    family, image = affine(), image_of(2, 1, 5, 5).requires_grad_()
    shift = theta_of(family, 2)

    def work(create):
        theta = shift + 0.1 * image.mean(dim=(1, 2, 3))[:, None]
        return torch.autograd.grad(
            stnkit.warp(family, theta, image, bilinear()).square().sum(), image, create_graph=create
        )

    close(work(False), composite(work, False))
    close(work(True), work(False))


@pytest.mark.parametrize("wanted", ["theta", "image"])
def test_only_what_needs_a_gradient_gets_one(wanted, monkeypatch):
    family, theta, image = inputs("affine")
    (theta if wanted == "image" else image).requires_grad_(False)
    leaf = theta if wanted == "theta" else image

    def work(create_graph):
        out = stnkit.warp(family, theta, image, bilinear())
        return torch.autograd.grad(out, leaf, image_of(*out.shape, seed=3), create_graph=create_graph)

    expected = composite(work, False)
    count = Count(monkeypatch)
    close(work(False), expected)
    assert count.backward == 1
    close(work(True), expected)
    assert count.backward == 1


def test_the_image_is_saved_only_for_a_gradient_to_theta():
    family, theta, image = inputs("affine")
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t.shape) or t, lambda t: t):
        stnkit.warp(family, theta.detach(), image, bilinear())
    assert saved == [(2, 2, 3)]


def test_a_changed_image_is_an_error_in_the_backward_pass():
    family, theta, image = inputs("affine")
    used = image.detach().clone()
    out = stnkit.warp(family, theta, used, bilinear()).sum()
    used.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_an_image_without_its_memory_is_torchs_error():
    family, theta, image = inputs("affine")

    def work():
        used = image.detach().clone()
        out = stnkit.warp(family, theta, used, bilinear()).sum()
        used.untyped_storage().resize_(0)
        with pytest.raises(RuntimeError) as error:
            out.backward()
        return str(error.value)

    assert work() == composite(work)


@pytest.mark.no_jaxtyping
def test_an_image_that_has_become_another_is_an_error():
    family, theta, image = inputs("affine")
    used = image.detach().clone()
    out = stnkit.warp(family, theta, used, bilinear()).sum()
    used.data = torch.zeros(50, 1, 1, 1)
    with pytest.raises(stnkit.errors.InputError, match="theta or grid: expected a batch of 50, as the image, got 2"):
        out.backward()


def test_a_theta_without_gradient_may_change_afterwards():
    family, theta, image = inputs("affine")
    expected = torch.autograd.grad(stnkit.warp(family, theta.detach(), image, bilinear()).sum(), image)
    fixed = theta.detach().clone()
    out = stnkit.warp(family, fixed, image, bilinear()).sum()
    fixed.zero_()
    assert torch.equal(torch.autograd.grad(out, image)[0], expected[0])
    with torch.inference_mode():
        fixed = theta.detach().clone()
    out = stnkit.warp(family, fixed, image, bilinear()).sum()
    assert torch.equal(torch.autograd.grad(out, image)[0], expected[0])


@pytest.mark.slow
def test_the_graph_is_freed_with_its_output():
    family, theta, image = inputs("affine")
    gc.collect()
    before = sum(isinstance(o, torch.Tensor) for o in gc.get_objects())
    for _ in range(3):
        stnkit.warp(family, theta, image, bilinear()).sum().backward()
    gc.collect()
    assert sum(isinstance(o, torch.Tensor) for o in gc.get_objects()) - before <= 2  # the gradients of the leaves
