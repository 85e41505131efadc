import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import stnkit

from .networks import ResNet

AFFINE = {"transform": "affine", "localizer": "convolutional", "sampler": "bilinear"}
# On the feature maps of a small image there is room for two small convolutions only.
INSIDE = AFFINE | {"localizer": {"name": "convolutional", "kernel_size": 3, "channels": [6, 6], "downsample": 1}}
POINTS = {
    "input": AFFINE,
    "layer2": INSIDE,
    "layer3.1.conv2": INSIDE | {"transform": {"name": "affine", "ndim": 2}},
}
IMAGE = (2, 3, 64, 64)


def transformers(network):
    return [module for module in network.modules() if isinstance(module, stnkit.SpatialTransformer)]


@pytest.fixture
def network():
    network = ResNet()
    # Statistics of some data, and a pass in which they would move.
    network(torch.rand(4, 3, 64, 64))
    return network


@pytest.fixture
def moved(network):
    """With transformers that are not the identity any more."""
    stnkit.insert_transformers(network, POINTS, torch.rand(IMAGE))
    with torch.no_grad():
        for transformer in transformers(network):
            transformer.head.weight.normal_(std=0.02)
    return network.eval()


@pytest.mark.parametrize(
    "points",
    [
        {"input": AFFINE},
        {"layer2": INSIDE},
        {"fc": None, **POINTS},
        {"layer1.0.conv1": INSIDE | {"transform": "tps", "sampler": "bicubic"}},
        {"layer3": INSIDE | {"recurrent": 3}},
    ],
    ids=lambda points: "-".join(points),
)
def test_the_output_is_unchanged_at_construction(network, points):
    points = {point: parts for point, parts in points.items() if parts}
    image = torch.rand(IMAGE)
    network.eval()
    expected = network(image)
    assert stnkit.insert_transformers(network, points, image) is network
    assert len(transformers(network)) == len(points)
    assert float((network(image) - expected).detach().abs().max()) < 1e-5


def test_a_moved_transformer_changes_the_output(network, moved):
    image = torch.rand(IMAGE)
    changed = moved(image)
    with torch.no_grad():
        for transformer in transformers(moved):
            transformer.head.weight.zero_()
    assert float((moved(image) - changed).detach().abs().max()) > 1e-3


def test_old_names_are_unchanged_and_new_ones_are_added(network):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    conv = network.layer2[0].conv1
    stnkit.insert_transformers(network, POINTS, torch.rand(IMAGE))
    after = network.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert network.layer2[0].conv1 is conv
    added = {name.split(".spatial_transformer")[0] for name in after.keys() - before.keys()}
    assert added == {"layer2.0", "layer3.1.conv2", *(n for n in after if n.startswith("spatial_transformer"))}
    assert not network.load_state_dict(before, strict=False).unexpected_keys


def test_modes_statistics_and_random_state_are_left_alone(network):
    network.train()
    network.layer1.eval()
    modes = {name: module.training for name, module in network.named_modules()}
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    image, made_with = torch.rand(IMAGE), torch.get_rng_state()
    stnkit.insert_transformers(network, {"layer2": INSIDE}, image)
    left = torch.get_rng_state()
    assert modes.items() <= {name: module.training for name, module in network.named_modules()}.items()
    assert all(torch.equal(dict(network.named_buffers())[name], buffer) for name, buffer in buffers.items())
    # Of the random numbers only those are taken that the new weights take anywhere.
    torch.set_rng_state(made_with)
    stnkit.build("localizer", INSIDE["localizer"], in_shape=(8, 16, 16))
    assert torch.equal(torch.get_rng_state(), left)
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_probing_pass_leaves_the_random_state_alone():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)

        def forward(self, x):
            return self.conv(x + torch.rand_like(x))

    torch.manual_seed(5)
    stnkit.insert_transformers(Noisy(), {"conv": AFFINE}, torch.zeros(1, 1, 20, 20))
    drawn = torch.rand(3)
    torch.manual_seed(5)
    Noisy()
    stnkit.build("localizer", AFFINE["localizer"], in_shape=(1, 20, 20))
    torch.testing.assert_close(torch.rand(3), drawn, atol=0, rtol=0)


def test_two_calls_make_localizers_of_different_weights(network):
    for point in ("layer2", "layer2.1.conv1"):
        stnkit.insert_transformers(network, {point: INSIDE}, torch.rand(IMAGE))
    first, second = transformers(network)
    assert not torch.equal(first.localizer.layers[0].weight[:, :8], second.localizer.layers[0].weight[:, :8])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_transformers_take_the_dtype_of_the_network(network, dtype):
    network.to(dtype).eval()
    image = torch.rand(IMAGE, dtype=dtype)
    expected = network(image)
    stnkit.insert_transformers(network, POINTS, image)
    assert {parameter.dtype for parameter in network.parameters()} == {dtype}
    out = network(image)
    assert out.dtype == dtype
    torch.testing.assert_close(out, expected, atol=0.05 if dtype is torch.bfloat16 else 1e-10, rtol=0.02)


def test_under_autocast_the_weights_stay_wide(network):
    with torch.autocast("cpu", torch.bfloat16):
        stnkit.insert_transformers(network, POINTS, torch.rand(IMAGE))
        network(torch.rand(IMAGE)).sum().backward()
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_under_autocast_a_pooling_gets_wide_weights(network, dtype):
    network.to(dtype)
    with torch.autocast("cpu", torch.bfloat16):
        stnkit.insert_transformers(network, {"maxpool": INSIDE}, torch.rand(IMAGE, dtype=dtype))
    assert {parameter.dtype for parameter in network.parameters()} == {dtype}
    network(torch.rand(IMAGE, dtype=dtype))


def test_under_autocast_a_network_without_weights_is_float32():
    network = nn.Sequential(nn.AvgPool2d(2))
    with torch.autocast("cpu", torch.bfloat16):
        stnkit.insert_transformers(network, {"input": INSIDE}, torch.rand(2, 1, 8, 8, dtype=torch.bfloat16))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_transformers_inserted_in_inference_mode_can_be_trained(network):
    with torch.inference_mode():
        stnkit.insert_transformers(network, POINTS, torch.rand(IMAGE))
    network(torch.rand(IMAGE)).sum().backward()
    assert all(t.head.weight.grad is not None for t in transformers(network))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_copies_and_pickles_have_transformers_of_their_own(moved, copied):
    image = torch.rand(IMAGE)
    other, expected = copied(moved), moved(image)
    torch.testing.assert_close(other(image), expected)
    with torch.no_grad():
        transformers(other)[0].head.offset.add_(0.3)
    torch.testing.assert_close(moved(image), expected)
    assert not torch.allclose(other(image), expected)


@pytest.mark.no_jaxtyping
# The hooks of the whole network run in front of the compiled network, which then warns of an input with a gradient.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("point", ["input", "layer2"])
@pytest.mark.slow
def test_the_network_still_compiles(point):
    network, image = ResNet(n_blocks=1), torch.rand(IMAGE)
    stnkit.insert_transformers(network, {point: POINTS[point]}, image)
    (transformer,) = transformers(network.eval())
    with torch.no_grad():
        transformer.head.offset.add_(0.1)
    expected = network(image)
    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(image), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.slow
def test_the_network_still_exports_for_any_batch(strict):
    network = ResNet(n_blocks=1).eval()
    stnkit.insert_transformers(network, {"input": AFFINE, "layer2": INSIDE}, torch.rand(IMAGE))
    with torch.no_grad():
        for transformer in transformers(network):
            transformer.head.offset.add_(0.1)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(network, (torch.rand(IMAGE),), dynamic_shapes=({0: batch},), strict=strict)
    fresh = torch.rand(5, *IMAGE[1:])
    torch.testing.assert_close(program.module()(fresh), network(fresh), atol=1e-5, rtol=1e-4)


def test_gradients_reach_every_localizer(moved):
    moved.train()
    moved(torch.rand(IMAGE)).square().sum().backward()
    assert len(transformers(moved)) == 3
    for transformer in transformers(moved):
        assert all(p.grad is not None and bool(p.grad.any()) for p in transformer.parameters())


@pytest.mark.slow
def test_training_reduces_the_loss_and_moves_every_theta(network):
    image, label = torch.rand(10, 3, 64, 64), torch.arange(10) % 5
    for i in range(10):  # a bright bar, whose point is the label
        image[i, :, :, 12 * label[i] : 12 * label[i] + 12] += 1
    stnkit.insert_transformers(network, POINTS, image)
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(20):
        loss = F.cross_entropy(network(image), label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    for transformer in transformers(network):
        assert bool(transformer.head.offset.any())


def test_an_inner_transformer_fits_the_output_of_an_outer_one(network):
    points = {"layer2": INSIDE, "input": AFFINE | {"out_size": [96, 48]}}
    stnkit.insert_transformers(network, points, torch.rand(IMAGE))
    inner = network.layer2[0].spatial_transformer
    assert inner.localizer.in_shape == (8, 24, 12)
    assert network(torch.rand(IMAGE)).shape == (2, 5)


def test_an_extracted_submodule_keeps_its_transformer(moved):
    features = torch.rand(2, 8, 16, 16)
    transformed = moved.layer2(features)
    warped = moved.layer2[0].spatial_transformer(features)
    moved.layer2[0].spatial_transformer = nn.Identity()
    assert not torch.allclose(transformed, moved.layer2(features), atol=1e-3)
    torch.testing.assert_close(transformed, moved.layer2(warped))


def test_sequentials_module_lists_and_extra_arguments_work():
    sequential = nn.Sequential(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()), nn.Flatten())
    image = torch.rand(1, 1, 16, 16)
    expected = sequential(image)
    stnkit.insert_transformers(sequential, {"input": AFFINE}, image)
    assert hasattr(sequential[0][0], "spatial_transformer")
    torch.testing.assert_close(sequential(image), expected)

    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.stages = nn.ModuleList([nn.Sequential(nn.Conv2d(1, 1, 3)), Scaled()])

        def forward(self, x, factor, offset=0.0):
            for layer in self.stages[0]:  # never called itself
                x = layer(x)
            return self.stages[1](x, factor, offset=offset)

    class Scaled(nn.Module):
        def forward(self, x, factor, offset):
            return x * factor + offset

    listed = Listed()
    expected = listed(image, 3.0, offset=1.0)
    stnkit.insert_transformers(listed, {"stages.0": INSIDE, "stages.1": INSIDE}, (image, 2.0))
    assert len(transformers(listed)) == 2
    torch.testing.assert_close(listed(image, 3.0, offset=1.0), expected, atol=1e-5, rtol=1e-5)


def test_volumes_are_transformed_in_three_dimensions():
    network = nn.Sequential(nn.Conv3d(1, 2, 3), nn.Flatten())
    volume = torch.rand(1, 1, 12, 13, 14)
    expected = network(volume)
    stnkit.insert_transformers(network, {"input": AFFINE | {"transform": {"name": "affine", "ndim": 3}}}, volume)
    torch.testing.assert_close(network(volume), expected, atol=1e-5, rtol=1e-5)
