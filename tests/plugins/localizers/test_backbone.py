"""`localizer=backbone`: key points in a map of a network."""

import pytest
import torch
from scipy.special import softmax

import stnkit

SHAPES = {"resnet": (3, 48, 64), "compact_cnn": (1, 28, 28), "paper_cnn": (1, 30, 40)}


def built(network="resnet", in_shape=None, **options):
    torch.manual_seed(0)
    in_shape = in_shape or SHAPES[network]
    return stnkit.build("localizer", "backbone", in_shape=in_shape, network=network, **options).eval()


@pytest.mark.parametrize(
    ("network", "layer", "name", "last"),
    [
        ("resnet", None, "layers.stage3", "layers.stage3.1.conv2.norm"),
        ("resnet", "layers.stage1", "layers.stage1", "layers.stage1.1.conv2.norm"),
        ("compact_cnn", None, "layers.11", "layers.10"),
        ("paper_cnn", "layers.relu2", "layers.relu2", "layers.conv2"),
    ],
)
def test_the_map_is_that_of_the_layer_of_the_network(network, layer, name, last):
    localizer = built(network, layer=layer)
    whole = stnkit.build("network", network, in_shape=SHAPES[network], n_classes=7).eval()
    own = localizer.network.state_dict()
    missing = whole.load_state_dict(own, strict=False)
    assert not missing.unexpected_keys
    image = torch.rand(2, *SHAPES[network])
    seen = []
    whole.get_submodule(name).register_forward_hook(lambda module, given, output: seen.append(output))
    whole(image)
    torch.testing.assert_close(localizer.map(image), seen[0], rtol=0, atol=0)
    # Nothing is left of what stands behind it.
    assert list(own)[-1].startswith(f"{last}.")


FUNCTIONAL = """
import stnkit, torch

class Functional(stnkit.Network):
    def __init__(self, in_shape: tuple[int, ...], n_classes: int, reads_ahead: bool = False):
        super().__init__()
        self.front, self.back = torch.nn.Conv2d(in_shape[0], 4, 3), torch.nn.Conv2d(4, n_classes, 3)
        self.reads_ahead = reads_ahead
    def forward(self, image):
        scale = self.back.weight.mean() if self.reads_ahead else 2.0
        return self.back(self.front(image * scale).relu()).mean(dim=(2, 3))

class Zipped(stnkit.Network):
    def __init__(self, in_shape: tuple[int, ...], n_classes: int, counts: bool = False):
        super().__init__()
        widths = [in_shape[0], 4, 4]
        self.convs = torch.nn.ModuleList(torch.nn.Conv2d(n, 4, 3) for n in widths)
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm2d(4) for _ in widths)
        self.last = torch.nn.Sequential(torch.nn.Linear(4, n_classes), torch.nn.Identity())
        self.counts = counts
    def forward(self, image):
        scale = len(self.last) if self.counts else 2
        for conv, norm in zip(self.convs, self.norms):
            image = norm(conv(image * scale)).relu()
        return self.last(image.mean(dim=(2, 3)))

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("functional", Functional)
    yield stnkit.Component("zipped", Zipped)
"""


def test_any_network_ends_at_one_of_its_layers(make_distribution):
    keys = {"network.functional": "functional", "network.zipped": "functional"}
    make_distribution("functional", {"functional": FUNCTIONAL}, keys)
    zipped = built("zipped", (3, 12, 12), layer="convs.0")
    assert zipped.map(torch.rand(2, 3, 12, 12)).shape == (2, 4, 10, 10)
    assert [name for name, _ in zipped.network.named_parameters()] == ["convs.0.weight", "convs.0.bias"]
    with pytest.raises(stnkit.errors.InputError, match=r"without what stands behind it, got 'convs\.0': TypeError"):
        built({"name": "zipped", "counts": True}, (3, 12, 12), layer="convs.0")
    localizer = built("functional", (3, 12, 12))
    assert localizer.map(torch.rand(2, 3, 12, 12)).shape == (2, 1, 8, 8)
    assert [name for name, _ in built("functional", (3, 12, 12), layer="front").network.named_parameters()] == [
        "front.weight",
        "front.bias",
    ]
    with pytest.raises(stnkit.errors.InputError, match="reaches without what stands behind it, got 'front': Attrib"):
        built({"name": "functional", "reads_ahead": True}, (3, 12, 12), layer="front")


def test_points_are_means_weighted_by_a_softmax():
    localizer = built(points=3, temperature=0.4).double()
    image = torch.rand(2, 3, 48, 64, dtype=torch.float64)
    heat = localizer.heat(localizer.map(image)).detach()
    weights = torch.from_numpy(softmax(heat.flatten(2).numpy() / 0.4, axis=-1)).view_as(heat)
    y, x = ((2 * torch.arange(n, dtype=torch.float64) + 1) / n - 1 for n in heat.shape[2:])
    expected = torch.stack([(weights * x).sum((2, 3)), (weights * y[:, None]).sum((2, 3))], dim=-1)
    torch.testing.assert_close(localizer.points(image), expected)
    torch.testing.assert_close(localizer(image), expected.flatten(1))


@pytest.mark.parametrize("asked", [True, False])
def test_a_frozen_network_keeps_weights_and_statistics(asked):
    localizer = stnkit.build("localizer", "backbone", in_shape=(3, 48, 64), frozen=True)
    if asked:  # a trainer may take a new network as it is
        localizer.train()
    model = stnkit.SpatialTransformer(
        localizer, stnkit.build("transform", "attention"), stnkit.build("sampler", "bilinear")
    )
    before = {name: value.clone() for name, value in localizer.network.state_dict().items()}
    heat = localizer.heat.weight.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    image = torch.rand(4, 3, 48, 64)
    for _ in range(2):
        model(image).square().mean().backward()
        optimizer.step()
    assert localizer.training
    assert not any(module.training for module in localizer.network.modules())
    assert all(torch.equal(value, before[name]) for name, value in localizer.network.state_dict().items())
    assert not torch.equal(localizer.heat.weight, heat)


def test_every_parameter_of_a_free_network_learns():
    localizer = built().train()
    assert all(module.training for module in localizer.modules())
    family = stnkit.build("transform", "affine")
    model = stnkit.SpatialTransformer(localizer, family, stnkit.build("sampler", "bilinear"))
    torch.nn.init.normal_(model.head.weight)
    image = torch.rand(4, 3, 48, 64)
    (model(image) - image.roll(2, dims=-1)).square().mean().backward()
    assert all(parameter.grad is not None and bool(parameter.grad.any()) for parameter in model.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 0}, "points: expected at least 1, got 0"),
        ({"temperature": 0.0}, "temperature: expected a finite number of at least 1e-06, got 0"),
        (
            {"layer": "layers.stage4"},
            "layer: expected one that gives a map, such as layers.stem, layers.stage1, layers.stage2, layers.stage3, "
            "got 'layers.stage4'$",
        ),
        ({"layer": "layers.pool"}, "layer: expected one that gives a map, "),
        (
            {"network": "paper_fcn", "in_shape": (1, 28, 28)},
            "network: expected one with a map of features, got PaperFCN$",
        ),
        ({"network": "none"}, "network: expected one with a map of features, got "),
        ({"network": "nothing"}, "there is no network 'nothing'"),
        ({"network": {"name": "resnet", "wide": 3}}, "'wide'"),
    ],
)
def test_what_it_cannot_use_is_refused(options, message):
    with pytest.raises(stnkit.errors.StnkitError, match=message):
        built(**({"in_shape": SHAPES["resnet"]} | options))
