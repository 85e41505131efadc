"""A transformer is one call in the graph of a symbolic trace."""

import pytest
import torch
from torch import fx, nn

import stnkit
from tests.helpers import small_images, transformer_of, with_moved_input
from tests.insertion.networks import Small

pytestmark = pytest.mark.no_jaxtyping


class ByHand(nn.Module):
    """A transformer, then two in parallel."""

    def __init__(self):
        super().__init__()
        first, *both = [transformer_of(with_moved_input(Small(), "input")) for _ in range(3)]
        self.first = first
        self.both = stnkit.ParallelTransformers(both)

    def forward(self, image):
        return self.both(image=self.first(2 * image)).relu()


def calls(graph):
    return [node.target for node in graph.graph.nodes if node.op == "call_module"]


def test_a_network_with_transformers_by_hand_is_traced():
    network, seen = ByHand().eval(), small_images()
    traced = fx.symbolic_trace(network)
    again = fx.symbolic_trace(traced)
    for graph in (traced, again, fx.Transformer(again).transform()):
        assert calls(graph) == ["first", "both"]
        torch.testing.assert_close(graph(seen), network(seen), rtol=0, atol=0)


@pytest.mark.parametrize("point", ["input", "conv"])
def test_what_was_traced_is_traced_again(point):
    network, seen = with_moved_input(Small(), point).eval(), small_images()
    traced = fx.symbolic_trace(network)
    again = fx.symbolic_trace(traced)
    assert calls(again) == calls(traced)
    torch.testing.assert_close(again(seen), network(seen))


def test_a_trace_of_parallel_transformers_calls_each():
    both, seen = ByHand().both, small_images()
    traced = fx.symbolic_trace(both)
    assert calls(traced) == ["transformers.0", "transformers.1"]
    torch.testing.assert_close(traced(seen), both(seen), rtol=0, atol=0)


def test_a_transformer_itself_cannot_be_followed():
    with pytest.raises(stnkit.errors.InputError, match="image: expected a tensor, got Proxy"):
        fx.symbolic_trace(ByHand().first)
