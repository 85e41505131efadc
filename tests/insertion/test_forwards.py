"""Hosts whose forward is no plain method: Python gives it the host or not, and so does the transformed class."""

import copy
import functools
import inspect

import pytest
import torch
from torch import nn

import stnkit
from tests.helpers import AFFINE, small_images, transformer_of, with_moved_input

pytestmark = pytest.mark.no_jaxtyping


class Tripled:
    def __call__(self, seen, times=1):
        return 3 * times * seen


class Scaled:
    @staticmethod
    def static(seen, times=1):
        return 3 * times * seen

    @classmethod
    def of_class(cls, seen, times=1):
        return 3 * times * seen

    def by(self, factor, seen, times=1):
        return factor * times * seen

    @property
    def found(self):
        return functools.partial(self.by, self.factor)


HOSTS = {
    "static method": vars(Scaled)["static"],
    "class method": vars(Scaled)["of_class"],
    "object": Tripled(),
    "partial": functools.partial(lambda factor, seen, times=1: factor * times * seen, 3),
    "partial method": functools.partialmethod(Scaled.by, 3),
}


def host(forward):
    return type("Host", (nn.Module,), {"forward": forward})()


@pytest.mark.parametrize("forward", HOSTS.values(), ids=HOSTS)
def test_a_forward_that_is_no_method_is_called(forward):
    network, seen = host(forward), small_images()
    signature = inspect.signature(network.forward)
    stnkit.insert_transformers(network, {"input": AFFINE}, seen)
    torch.testing.assert_close(network(seen), 3 * seen)
    del network.spatial_transformer
    warped = transformer_of(with_moved_input(network, "input"))(seen)
    for each in (network, copy.deepcopy(network)):
        torch.testing.assert_close(each(seen), 3 * warped)
        torch.testing.assert_close(each(seen, 2), 6 * warped)
        torch.testing.assert_close(each(times=2, seen=seen), 6 * warped)
    assert inspect.signature(network.forward) == signature
    del network.spatial_transformer
    torch.testing.assert_close(network(seen), 3 * seen)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["static method", "class method", "object"])
def test_a_forward_that_is_no_method_is_compiled(kind):
    torch.compiler.reset()
    network, seen = with_moved_input(host(HOSTS[kind]), "input"), small_images()
    expected = network(seen)
    torch.testing.assert_close(torch.compile(network, backend="eager", fullgraph=True)(seen), expected)
    torch.testing.assert_close(torch.export.export(network, (seen,)).module()(seen), expected)


def test_a_forward_that_the_host_computes_is_called():
    class Host(Scaled, nn.Module):
        factor = 3
        forward = Scaled.found

    network, seen = with_moved_input(Host(), "input"), small_images()
    torch.testing.assert_close(network(seen), 3 * transformer_of(network)(seen))


@pytest.mark.parametrize("forward", HOSTS.values(), ids=HOSTS)
def test_a_bound_forward_outlives_the_transformer(forward):
    network, seen = with_moved_input(host(forward), "input"), small_images()
    kept = network.forward
    del network.spatial_transformer
    torch.testing.assert_close(kept(seen), 3 * seen)
