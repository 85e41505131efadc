"""A transformer that was taken away leaves its host as it was, and another one may follow."""

import copy
import functools
import pickle

import pytest
import torch
from torch import fx, nn
from torch.ao.quantization import fuse_modules
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


def by_deletion(host):
    del host.spatial_transformer


def by_none(host):
    host.spatial_transformer = None


@pytest.mark.parametrize("removed", [by_deletion, by_none])
@pytest.mark.parametrize("made", [Small, normalized, with_a_forward_of_its_object])
@pytest.mark.parametrize("point", ["input", "conv"])
def test_removal_gives_the_class_back_at_once(made, point, removed):
    network = made()
    host = network if point == "input" else network.conv
    name, bases, own = type(host).__name__, type(host).__mro__[1:], vars(host).get("forward")
    with_moved_input(network, point)
    removed(host)
    assert (type(host).__name__, type(host).__mro__[1:]) == (name, bases)
    assert vars(host).get("forward") is own


@pytest.mark.parametrize("removed", [by_deletion, by_none])
@pytest.mark.parametrize("made", [Small, normalized, with_a_forward_of_its_object])
@pytest.mark.parametrize("point", ["input", "conv"])
def test_a_transformer_that_is_put_back_is_called(made, point, removed):
    network, seen = made().eval(), small_images()
    host = network if point == "input" else network.conv
    plain = network(seen)
    moved, transformer = with_moved_input(network, point)(seen), host.spatial_transformer
    removed(host)
    torch.testing.assert_close(network(seen), plain, rtol=0, atol=0)
    host.spatial_transformer = transformer
    torch.testing.assert_close(network(seen), moved, rtol=0, atol=0)
    host.spatial_transformer = nn.Identity()
    torch.testing.assert_close(network(seen), plain)


def test_torch_fuses_a_host_that_lost_its_transformer():
    network, seen = Small().eval(), small_images()
    plain = network(seen)
    del with_moved_input(network, "conv").conv.spatial_transformer
    assert b"stnkit" not in pickle.dumps(network)
    torch.testing.assert_close(fuse_modules(network, [["conv", "norm"]])(seen), plain)


def with_wrapped_forward(host):
    """As accelerate does it."""
    host.old_forward = host.forward
    host.forward = functools.partial(lambda own, *args, **kwargs: own.old_forward(*args, **kwargs), host)


def with_wrapped_class(host):
    """As fully_shard of torch does it."""
    host.__class__ = type("Sharded", (type("Mixin", (), {}), type(host)), {})


@pytest.mark.parametrize("wrapped", [with_wrapped_forward, with_wrapped_class])
@pytest.mark.parametrize("removed", [by_deletion, by_none])
@pytest.mark.parametrize("made", [Small, with_a_forward_of_its_object])
def test_what_wrapped_a_host_calls_its_next_transformer(made, removed, wrapped):
    network, seen = made().eval(), small_images()
    plain = network(seen)
    moved = with_moved_input(network, "conv")(seen)
    wrapped(network.conv)
    torch.testing.assert_close(network(seen), moved)
    removed(network.conv)
    torch.testing.assert_close(network(seen), plain)
    for point in ("typo", "fc"):
        with pytest.raises(stnkit.errors.InputError):
            stnkit.insert_transformers(network, {"conv": AFFINE, point: AFFINE}, seen)
        torch.testing.assert_close(network(seen), plain)
    torch.testing.assert_close(with_moved_input(network, "conv")(seen), moved)
    torch.testing.assert_close(copy.deepcopy(network)(seen), moved)


def test_a_forward_that_replaced_the_first_gets_the_next():
    network, seen = with_moved_input(Small(), "conv").eval(), small_images()
    network.conv.forward = functools.partial(negated, network.conv)
    plain = network(seen)
    del network.conv.spatial_transformer
    transformer = transformer_of(with_moved_input(network, "conv"))
    expected = network(seen)
    assert not torch.allclose(expected, plain, atol=1e-4)
    network.conv.spatial_transformer = nn.Identity()
    torch.testing.assert_close(network(transformer(seen)), expected)


@pytest.mark.parametrize("place", ["attribute", "child", "parameter", "buffer"])
def test_an_attribute_of_that_name_may_be_none(place):
    network, seen = Small().eval(), small_images()
    if place == "attribute":
        network.spatial_transformer = None
    else:
        register = {"child": network.add_module, "parameter": network.register_parameter}
        register.get(place, network.register_buffer)("spatial_transformer", None)
    with pytest.raises(stnkit.errors.InputError, match="insertion point 'fc': expected an image"):
        stnkit.insert_transformers(network, {"input": AFFINE, "fc": AFFINE}, seen)
    assert network.spatial_transformer is None
    assert ("spatial_transformer" in vars(network)) == (place == "attribute")
    plain = network(seen)
    stnkit.insert_transformers(network, {"input": AFFINE}, seen)
    torch.testing.assert_close(network(seen), plain)
    assert isinstance(network.spatial_transformer, stnkit.SpatialTransformer)


@pytest.mark.parametrize("again", ["deleted", "none", "both"])
def test_a_refused_insertion_leaves_a_graph_as_it_was(again):
    seen = small_images()
    graph = with_moved_input(fx.symbolic_trace(Small()), "input").eval()
    moved, code = graph(seen), graph.code
    if again != "none":
        del graph.spatial_transformer
    if again != "deleted":
        graph.spatial_transformer = None
    with pytest.raises(stnkit.errors.InputError):
        stnkit.insert_transformers(graph, {"input": AFFINE, "fc": AFFINE}, seen)
    assert graph.code == code
    torch.testing.assert_close(with_moved_input(graph, "input")(seen), moved)
    assert graph.code == code
