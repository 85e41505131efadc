"""A transformer that was taken away leaves its host as it was, and another one may follow."""

import copy
import functools

import pytest
import torch
from torch import fx, nn
from torch.nn.utils import parametrizations

import stnkit
from tests.helpers import AFFINE, small_images, transformer_of, with_moved_input
from tests.insertion.networks import Small

pytestmark = pytest.mark.no_jaxtyping


def normalized():
    network = Small()
    parametrizations.weight_norm(network.conv)
    return network


def with_a_forward_of_its_object():
    network = Small()
    network.conv.forward = functools.partial(negated, network.conv)
    return network


def negated(host, image):
    return -nn.Conv2d.forward(host, image)


@pytest.mark.slow
@pytest.mark.parametrize("made", [Small, normalized, with_a_forward_of_its_object])
@pytest.mark.parametrize("point", ["input", "conv"])
def test_without_its_transformer_a_host_does_what_it_did(made, point):
    torch.compiler.reset()
    network, seen = made().eval(), small_images()
    host = network if point == "input" else network.conv
    plain = network(seen)
    compiled = torch.compile(with_moved_input(network, point), backend="eager")
    moved = compiled(seen)
    assert not torch.allclose(moved, plain, atol=1e-4)
    transformer = host.spatial_transformer
    del host.spatial_transformer
    for each in (network, compiled, copy.deepcopy(network)):
        torch.testing.assert_close(each(seen), plain, rtol=0, atol=0)
    stnkit.insert_transformers(network, {point: AFFINE}, seen)
    host.spatial_transformer.load_state_dict(transformer.state_dict())
    torch.testing.assert_close(network(seen), moved)
    host.spatial_transformer = None
    torch.testing.assert_close(network(seen), plain, rtol=0, atol=0)
    torch.testing.assert_close(with_moved_input(network, point)(seen), moved)


def test_a_graph_without_its_transformer_takes_another():
    seen = small_images()
    graph = with_moved_input(fx.symbolic_trace(Small()), "input").eval()
    moved, transformer = graph(seen), graph.spatial_transformer
    del graph.spatial_transformer
    stnkit.insert_transformers(graph, {"input": AFFINE}, seen)
    graph.spatial_transformer.load_state_dict(transformer.state_dict())
    torch.testing.assert_close(graph(seen), moved)
    assert sum(node.target == "spatial_transformer" for node in graph.graph.nodes) == 1


def test_a_network_made_anew_by_its_class_has_none():
    """As for an average of weights: type(network)()."""
    network, seen = with_moved_input(Small(), "input").eval(), small_images()
    anew = type(network)().eval()
    anew.load_state_dict(network.state_dict(), strict=False)
    torch.testing.assert_close(anew(transformer_of(network)(seen)), network(seen))
    torch.testing.assert_close(with_moved_input(anew, "input")(seen), network(seen))
