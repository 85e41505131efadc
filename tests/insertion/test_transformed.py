"""A transformer is part of what a module is: no compiler, tracer or converter computes without it."""

import copy
import gc
import pickle
import warnings
import weakref
from collections import OrderedDict

import pytest
import torch
from torch import fx, nn
from torch.nn.utils import parametrizations, parametrize

import stnkit
from tests.helpers import AFFINE, small_images, transformer_of, with_moved_input
from tests.insertion.networks import Small

pytestmark = pytest.mark.no_jaxtyping


class Outer(nn.Module):
    """Calls its only child, which has any name."""

    def __init__(self, child, name="inner"):
        super().__init__()
        self.child_name = name
        self.add_module(name, child)

    def forward(self, image):
        return getattr(self, self.child_name)(image)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("point", ["input", "conv", "norm"])
@pytest.mark.parametrize("wrapped", [lambda n: n, Outer], ids=["itself", "in an outer module"])
@pytest.mark.parametrize("in_place", [False, True], ids=["torch.compile", "Module.compile"])
def test_what_was_compiled_before_does_not_hide_it(point, wrapped, in_place):
    """In one process and one session of the compiler: the plain network first, then a copy with a transformer."""
    torch.compiler.reset()
    plain = Small()
    other = with_moved_input(copy.deepcopy(plain), point)
    eager = wrapped(copy.deepcopy(other))
    networks = [wrapped(plain), wrapped(other)]
    for network in networks:
        network.compile(backend="eager")
    compiled = networks if in_place else [torch.compile(network, backend="eager") for network in networks]
    seen = small_images()
    for training in (False, True):
        for network in (*networks, eager):
            network.train(training)
        without, with_it, expected = compiled[0](seen), compiled[1](seen), eager(seen)
        torch.testing.assert_close(with_it, expected)
        assert not torch.allclose(without, with_it, atol=1e-4)
    with_it.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(transformer_of(networks[1]).head.offset.grad, transformer_of(eager).head.offset.grad)
    assert bool(transformer_of(eager).head.offset.grad.any())


@pytest.mark.slow
@pytest.mark.parametrize("copied", [lambda n: n, copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
def test_a_hook_on_theta_is_called_also_when_compiled_before(copied):
    torch.compiler.reset()
    network = copied(with_moved_input(Small(), "conv")).eval()
    compiled, seen = torch.compile(network, backend="eager"), []
    compiled(small_images())
    handle = transformer_of(network).theta_probe.register_forward_hook(lambda *call: seen.append(call[2]))
    compiled(small_images())
    assert [theta.shape for theta in seen] == [(2, 6)]
    handle.remove()
    compiled(small_images())
    assert len(seen) == 1


@pytest.mark.parametrize("point", ["input", "conv", "fc"])
def test_a_symbolic_trace_calls_the_transformer(point):
    network = with_moved_input(Flat() if point == "fc" else Small(), point).eval()
    traced = fx.symbolic_trace(network)
    assert [node.target for node in traced.graph.nodes if str(node.target).endswith("spatial_transformer")] == [
        "spatial_transformer" if point == "input" else f"{point}.spatial_transformer"
    ]
    for graph in (traced, copy.deepcopy(traced), fused(network)):
        torch.testing.assert_close(graph(seen := small_images()), network(seen))


def fused(network):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit, from a module that this one imports
        from torch.fx.experimental import optimization
    return optimization.fuse(network)


class Flat(nn.Module):
    """A linear layer along the rows of an image."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(12, 3)

    def forward(self, image):
        return self.fc(image)


def test_a_module_that_no_trace_can_follow_is_an_error():
    with pytest.raises(fx.proxy.TraceError):
        fx.symbolic_trace(with_moved_input(Small(), "norm"))


@pytest.mark.parametrize("point", ["input", "conv", "norm"])
def test_a_converted_batch_norm_keeps_its_transformer(point):
    network = with_moved_input(Small(), point).eval()
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(network)).eval()
    assert isinstance(converted.norm, nn.SyncBatchNorm)
    torch.testing.assert_close(converted(seen := small_images()), network(seen))
    torch.testing.assert_close(copy.deepcopy(converted)(seen), network(seen))


def test_a_converted_batch_norm_keeps_what_was_assigned():
    network = with_moved_input(Small(), "norm").eval()
    localizer = stnkit.build("localizer", "fully_connected", in_shape=(4, 12, 12))
    family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
    network.norm.spatial_transformer = stnkit.SpatialTransformer(
        localizer, family, sampler, transform_init={"zoom": 2, "center": [0.5, 0]}
    )
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(copy.deepcopy(network)).eval()
    torch.testing.assert_close(converted(seen := small_images()), network(seen))
    converted.norm.spatial_transformer = nn.Identity()
    assert not torch.allclose(converted(seen), network(seen), atol=1e-4)


def test_a_child_of_that_name_in_ones_own_module_is_left_alone():
    transformer = transformer_of(with_moved_input(Small(), "conv"))
    own = Outer(transformer, "spatial_transformer")
    assert type(own) is Outer
    torch.testing.assert_close(own(seen := small_images()), transformer(seen))


def test_a_container_calls_its_children_by_itself():
    transformer, rest = transformer_of(with_moved_input(Small(), "conv")), nn.Conv2d(1, 2, 3)
    row = nn.Sequential(OrderedDict(spatial_transformer=transformer, rest=rest))
    assert type(row) is nn.Sequential
    torch.testing.assert_close(row(seen := small_images()), rest(transformer(seen)))
    held = nn.ModuleDict({"spatial_transformer": transformer})
    assert type(held) is nn.ModuleDict


def test_a_graph_gets_a_node_and_keeps_it_when_recompiled():
    graph = with_moved_input(fx.symbolic_trace(Small()), "input").eval()
    assert graph.graph.find_nodes(op="call_module", target="spatial_transformer")
    seen = small_images()
    expected = graph(seen)
    transformer = transformer_of(graph)
    graph.recompile()
    torch.testing.assert_close(graph(seen), expected)
    torch.testing.assert_close(pickle.loads(pickle.dumps(graph))(seen), expected)
    graph.spatial_transformer = nn.Identity()
    torch.testing.assert_close(graph(transformer(seen)), expected)


def test_a_forward_of_the_object_is_transformed_too():
    network = Small().eval()
    network.conv.forward = lambda seen: -nn.Conv2d.forward(network.conv, seen)
    seen = small_images()
    plain = network(seen)
    with_moved_input(network, "conv")
    transformed = network(seen)
    assert not torch.allclose(transformed, plain, atol=1e-4)
    transformer = transformer_of(network)
    network.conv.spatial_transformer = nn.Identity()
    torch.testing.assert_close(network(transformer(seen)), transformed)


def test_a_host_is_what_it_was():
    network = with_moved_input(Small(), "conv")
    assert isinstance(network.conv, nn.Conv2d)
    assert type(network.conv) is type(pickle.loads(pickle.dumps(network)).conv)
    assert "Conv2d(\n    1, 4" in repr(network)
    assert not network.conv._forward_pre_hooks


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("point", ["input", "norm"])
def test_a_trace_warns_that_the_size_becomes_a_constant(point):
    network, seen = with_moved_input(Small(), point).eval(), small_images()
    with pytest.warns(torch.jit.TracerWarning):
        traced = torch.jit.trace(network, seen)
    torch.testing.assert_close(traced(other := small_images()), network(other))


def test_a_parametrized_host_is_transformed_once():
    seen = small_images()
    for before in (True, False):
        network = Small().eval()
        if before:
            parametrizations.weight_norm(network.conv)
        with_moved_input(network, "conv")
        if not before:
            parametrizations.weight_norm(network.conv)
        expected = network(seen)
        torch.testing.assert_close(nn.SyncBatchNorm.convert_sync_batchnorm(network)(seen), expected)
        parametrize.remove_parametrizations(network.conv, "weight")
        torch.testing.assert_close(network(seen), expected)
        network.conv.spatial_transformer = nn.Identity()
        assert not torch.allclose(network(seen), expected, atol=1e-4)


def test_keywords_of_any_name_reach_the_host():
    class Keywords(nn.Module):
        def forward(self, x, image=None, host=None, forward=None):
            return x + image + host + forward

    network, seen = with_moved_input(Keywords(), "input", example=(small_images(), 1.0, 1.0, 1.0)), small_images()
    expected = transformer_of(network)(seen) + 6
    torch.testing.assert_close(network(seen, image=1, host=2, forward=3), expected)


def of_own_classes():
    class OwnConv(nn.Conv2d):
        pass

    class OwnNet(Small):
        def __init__(self):
            super().__init__()
            self.conv = OwnConv(1, 4, 3, padding=1)

    return OwnNet()


def traced():
    return fx.symbolic_trace(of_own_classes())


def parametrized():
    network = of_own_classes()
    parametrizations.spectral_norm(network.conv)
    return network


@pytest.mark.parametrize(
    ("made", "point", "expected"),
    [
        (of_own_classes, "input", {"OwnNet", "TransformedOwnNet", "OwnConv"}),
        (of_own_classes, "conv", {"OwnNet", "TransformedOwnConv", "OwnConv"}),
        (parametrized, "input", {"OwnNet", "TransformedOwnNet", "OwnConv", "ParametrizedOwnConv"}),
        (parametrized, "conv", {"OwnNet", "TransformedOwnConv", "OwnConv", "ParametrizedOwnConv"}),
        (traced, "input", {"OwnNet"}),  # the class of a graph is its own, with the name of the module's
    ],
)
def test_classes_of_hosts_end_with_their_networks(made, point, expected):
    network = with_moved_input(made(), point)
    classes = {cls for module in network.modules() for cls in type(module).__mro__ if "Own" in cls.__name__}
    assert {cls.__name__ for cls in classes} == expected
    network(small_images())
    references = [weakref.ref(cls) for cls in classes]
    del network, classes
    gc.collect()
    assert not [cls for reference in references if (cls := reference())]


def test_two_hosts_of_a_class_have_one_class():
    first, second = with_moved_input(Small(), "conv"), with_moved_input(Small(), "conv")
    assert type(first.conv) is type(second.conv)
    assert type(first.conv) is type(copy.deepcopy(second).conv)
    assert type(first.conv) is type(pickle.loads(pickle.dumps(second)).conv)
    assert not [name for name in vars(nn.Conv2d) if "insert" in name or "transform" in name]


def test_the_default_device_is_not_that_of_a_transformer():
    torch.manual_seed(0)
    expected = stnkit.insert_transformers(Small(), {"conv": AFFINE}, small_images()).state_dict()
    torch.manual_seed(0)
    network, seen = Small(), small_images()
    with torch.device("meta"):
        stnkit.insert_transformers(network, {"conv": AFFINE}, seen)
    found = network.state_dict()
    assert {name: t.device.type for name, t in found.items()} == dict.fromkeys(expected, "cpu")
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor)


def test_a_class_that_refuses_subclasses_is_one_sentence():
    class Closed(nn.Conv2d):
        def __init_subclass__(cls, *, name, **options):
            super().__init_subclass__(**options)

    network = Small()
    network.conv = Closed(1, 4, 3, padding=1)
    with pytest.raises(stnkit.errors.InputError, match="a Closed cannot have a transformer in front of it: TypeError"):
        stnkit.insert_transformers(network, {"input": AFFINE, "conv": AFFINE}, small_images())
    assert type(network) is Small
    assert not hasattr(network, "spatial_transformer")
