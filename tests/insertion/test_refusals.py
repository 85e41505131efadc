"""What cannot have a transformer is refused in one sentence, and the network stays as it was."""

import pytest
import torch
from torch import nn

import stnkit

from .networks import ResNet

AFFINE = {"transform": "affine", "localizer": "fully_connected", "sampler": "bilinear"}

pytestmark = pytest.mark.no_jaxtyping


def refused(network, points, example, match):
    keys = list(network.state_dict())
    modes = [module.training for module in network.modules()]
    random = torch.get_rng_state()
    with pytest.raises(stnkit.errors.InputError, match=match) as caught:
        stnkit.insert_transformers(network, points, example)
    assert "\n" not in str(caught.value)
    assert list(network.state_dict()) == keys
    assert [module.training for module in network.modules()] == modes
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("points", "got"),
    [(["input"], r"\['input'\]"), ("input", "'input'"), ({0: AFFINE}, r"keys \[0\]"), (None, "None")],
)
def test_points_are_names_with_components(points, got):
    network = nn.Sequential(nn.Conv2d(1, 2, 3))
    message = f"^points: expected a mapping of names of insertion points to components, got {got}$"
    refused(network, points, torch.rand(1, 1, 8, 8), message)


class Odd(nn.Module):
    """Modules that are called in every way but once with an image."""

    def __init__(self):
        super().__init__()
        self.shared = nn.Conv2d(1, 1, 1)
        self.unused = nn.Conv2d(1, 1, 1)
        self.keyword = Keywords()
        self.empty = nn.Sequential()
        self.index = nn.Embedding(3, 2)
        self.blocks = nn.ModuleList([nn.Conv2d(1, 1, 1), nn.ReLU()])
        self.named = nn.ModuleDict({"a": nn.Conv2d(1, 1, 1)})
        self.own = Own(nn.Conv2d(1, 1, 1))
        self.iterating = Iterating()
        self.several = Several()
        self.fc = nn.Linear(1, 2)

    def forward(self, x):
        x = self.keyword(image=self.shared(self.shared(self.empty(x))))
        x = self.named["a"](self.blocks[0](x))
        x = self.several([self.iterating(self.own(x))])
        self.index(torch.zeros(1, 1, 1, 1, dtype=torch.long))
        return self.fc(x.mean((2, 3)))


class Own(nn.Sequential):
    def forward(self, x):
        for layer in reversed(self):
            x = layer(x)
        return x


class Iterating(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1)

    def forward(self, x):
        for child in self.children():
            x = child(x)
        return x


class Keywords(nn.Module):
    def forward(self, **images):
        return images["image"]


class Several(nn.Module):
    def forward(self, images):
        return images[0]


@pytest.mark.parametrize(
    ("point", "match"),
    [
        ("shared", "'shared' is called more than once in one pass"),
        ("unused", "'unused' is not called when the network runs"),
        ("keyword", r"'keyword': expected a call with its first argument, .* got keywords \['image'\]$"),
        ("empty", "'empty' is an empty Sequential"),
        ("index", r"'index': expected an image, .* got \(1, 1, 1, 1\), torch.int64"),
        ("blocks", r"'blocks' is a ModuleList, a container that is never called itself.*: blocks.0, blocks.1"),
        ("named", r"'named' is a ModuleDict.*: named.a"),
        ("own", r"'own' is an Own, a container that is called by a forward of its own.*: own.0"),
        ("iterating", "'iterating' is a module that calls all of its children"),
        ("several", r"'several': expected an image, .* got .*list"),
        ("fc", r"'fc': expected .*\(B, C, H, W\) .* got \(2, 1\), torch.float32"),
    ],
)
def test_a_point_not_called_once_with_an_image_is_refused(point, match):
    # The good point beside it is taken back, too.
    refused(Odd(), {"input": AFFINE, point: AFFINE}, torch.rand(2, 1, 9, 9), match)


@pytest.mark.parametrize(
    ("point", "advice"),
    [
        (
            "shared",
            "another point, or give 'shared' alone to insert_transformers, at its 'input': in front of every call",
        ),
        ("iterating", "choose one of its members: iterating.conv"),
        ("own", "choose one of its members that is called with an image: own.0"),
        ("several", "got <class 'list'>; choose another point, such as one of its members: several.first"),
    ],
)
def test_a_refusal_names_a_way_out(point, advice):
    network = Odd()
    network.several.first = nn.Conv2d(1, 1, 1)
    refused(network, {point: AFFINE}, torch.rand(2, 1, 9, 9), f"{advice}$")


def test_a_module_that_is_called_twice_is_named_and_takes_one():
    network, image = nn.Sequential(Odd()), torch.rand(2, 1, 9, 9)
    network[0].empty = network[0].shared
    refused(network, {"shared": AFFINE}, image, r"give '0\.shared' alone to insert_transformers, at its 'input': ")
    expected = network.eval()(image)
    stnkit.insert_transformers(network.get_submodule("0.shared"), {"input": AFFINE}, image)
    torch.testing.assert_close(network(image), expected, atol=1e-5, rtol=0)
    calls = []
    network[0].shared.spatial_transformer.register_forward_hook(lambda *_: calls.append(1))
    network(image)
    assert len(calls) == 3


def test_an_unknown_name_lists_the_nearest_names_first():
    message = r"no insertion point 'layer22' in the network; .* are: layer2, .*input, .*conv1.* and \d+ more"
    refused(ResNet(), {"layer22": AFFINE}, torch.rand(1, 3, 64, 64), message)
    refused(Iterating(), {"x": AFFINE}, torch.rand(1, 1, 9, 9), r"the insertion points are: input, conv$")


def test_the_end_of_a_name_will_do_where_no_other_ends_so():
    network = ResNet()
    refused(network, {"conv2": AFFINE}, torch.rand(1, 3, 64, 64), r"'conv2' is the end of 8 names.*: layer1.0.conv2, ")
    stnkit.insert_transformers(network, {"layer2.0.downsample": AFFINE}, torch.rand(1, 3, 64, 64))
    assert hasattr(network.layer2[0].downsample[0], "spatial_transformer")
    nested = nn.Sequential(nn.Sequential(nn.Conv2d(1, 1, 3), nn.ReLU()))
    nested[0].register_module("pool", nn.AvgPool2d(1))
    stnkit.insert_transformers(nested, {"pool": AFFINE}, torch.rand(1, 1, 9, 9))
    assert hasattr(nested[0].pool, "spatial_transformer")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # raised by the compiler's own code
@pytest.mark.parametrize("wrap", [nn.DataParallel, torch.compile, lambda n: nn.Sequential(nn.DataParallel(n))])
def test_a_wrapper_is_refused_and_says_what_to_do(wrap):
    wrapped = wrap(nn.Conv2d(1, 1, 3))
    point = "0.module" if isinstance(wrapped, nn.Sequential) else "input"
    with pytest.raises(stnkit.errors.InputError, match=r"cannot be inserted into an? .*then wrap, trace or compile"):
        stnkit.insert_transformers(wrapped, {point: AFFINE}, torch.rand(1, 1, 9, 9))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")
def test_a_network_with_a_transformer_is_traced_as_advised():
    image = torch.rand(2, 1, 9, 9)
    network = stnkit.insert_transformers(nn.Sequential(nn.Conv2d(1, 1, 3)), {"input": AFFINE}, image).eval()
    traced = torch.jit.trace(network, image)
    torch.testing.assert_close(traced(image.flip(0)), network(image.flip(0)))


def test_a_scripted_network_is_refused():
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        scripted = torch.jit.script(nn.Conv2d(1, 1, 3))
    with pytest.raises(stnkit.errors.InputError, match="cannot be inserted into a RecursiveScriptModule"):
        stnkit.insert_transformers(scripted, {"input": AFFINE}, torch.rand(1, 1, 9, 9))


def test_a_place_is_taken_once():
    network = ResNet()
    image = torch.rand(1, 3, 64, 64)
    refused(network, {"layer2": AFFINE, "layer2.0": AFFINE}, image, "'layer2' and 'layer2.0' are the same")
    stnkit.insert_transformers(network, {"layer2": AFFINE}, image)
    with pytest.raises(
        stnkit.errors.InputError, match=r"there is a spatial_transformer at insertion point 'layer2.0' already"
    ):
        stnkit.insert_transformers(network, {"layer2.0": AFFINE}, image)
    with pytest.raises(
        stnkit.errors.InputError, match=r"there is no insertion point 'layer2.0.spatial_transformer.localizer'"
    ):
        stnkit.insert_transformers(network, {"layer2.0.spatial_transformer.localizer": AFFINE}, image)


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ("affine", "'layer2': expected a mapping with transform, localizer, sampler, got 'affine'"),
        ({"transform": "affine"}, "'layer2': localizer is missing; it takes transform, localizer, sampler"),
        (
            AFFINE | {"size": [3, 3]},
            "'layer2': there is no 'size'; it takes .* optionally out_size, parallel, recurrent",
        ),
        (AFFINE | {"transform": "nonsense"}, "point 'layer2': there is no transform 'nonsense'"),
        (
            AFFINE | {"transform": {"name": "affine", "ndim": 3}},
            "'affine' warps 3 dimensions, but the images have 2",
        ),
        (
            AFFINE | {"localizer": {"name": "convolutional", "kernel": 3}},
            "point 'layer2': .* has no option 'kernel'",
        ),
        (AFFINE | {"localizer": {"name": "convolutional", "channels": [4] * 9}}, "point 'layer2': .* too deep"),
        (AFFINE | {"out_size": [3]}, "point 'layer2': out_size: expected 2 whole numbers"),
        (AFFINE | {"parallel": 0}, "'layer2': parallel: expected a whole number of at least 1, got 0"),
        (
            AFFINE | {"recurrent": 1.5},
            "'layer2': recurrent: expected a whole number of at least 1, got 1.5",
        ),
        (
            AFFINE | {"transform": "tps", "recurrent": 2},
            "point 'layer2': .*needs a family that composes, but .*Spline",
        ),
        (AFFINE | {"parallel": 2}, r"behind insertion point 'layer2' does not accept .*\(1, 16, 16, 16\).*16 channels"),
    ],
)
def test_parts_that_cannot_be_built_are_refused_with_their_place(parts, match):
    refused(ResNet(), {"layer2": parts}, torch.rand(1, 3, 64, 64), match)


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ({"localizer": "fully_conected"}, "^insertion point '0': there is no localizer 'fully_conected'"),
        ({"transform": {"name": "affine", "dim": 2}}, "^insertion point '0': transform 'affine' has no option 'dim'"),
        ({"sampler": 5}, "^insertion point '0': sampler: expected a name, or a mapping"),
    ],
)
def test_a_wrong_component_leaves_lazy_modules_as_they_are(parts, match):
    network = nn.Sequential(nn.LazyConv2d(2, 3))
    with pytest.raises(stnkit.errors.InputError, match=match):
        stnkit.insert_transformers(network, {"0": AFFINE | parts}, torch.rand(2, 1, 9, 9))
    assert isinstance(network[0], nn.LazyConv2d)
    assert isinstance(network[0].weight, nn.UninitializedParameter)


def test_a_size_that_the_rest_does_not_take_is_refused():
    network = nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten(), nn.Linear(49, 2))
    match = r"'0' does not accept the transformer's output of shape \(1, 1, 5, 5\), where \(1, 1, 9, 9\)"
    refused(network, {"0": AFFINE | {"out_size": [5, 5]}}, torch.rand(1, 1, 9, 9), match)


def test_an_example_that_the_network_does_not_take_is_refused():
    refused(
        ResNet(),
        {"layer2": AFFINE},
        torch.rand(1, 1, 64, 64),
        "the network cannot be run on example_input: Runtime",
    )
