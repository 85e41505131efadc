"""The same on a network of timm's, which has modules that nobody here wrote."""

import copy
import pickle

import pytest
import torch

import stnkit

AFFINE = {
    "transform": "affine",
    "localizer": {"name": "convolutional", "kernel_size": 3, "channels": [4, 4]},
    "sampler": "bilinear",
}


def inserted(network, points, image):
    """The network with moved transformers, after the check that fresh ones change nothing."""
    expected, keys = network(image), set(network.state_dict())
    inside = AFFINE | {"localizer": {"name": "fully_connected", "hidden": [4]}}
    stnkit.insert_transformers(network, {p: AFFINE if p == "input" else inside for p in points}, image)
    difference = (network(image) - expected).detach().abs().max()
    assert float(difference) < 1e-5 * max(1.0, float(expected.detach().abs().max()))
    assert keys < set(network.state_dict())
    transformers = [module for module in network.modules() if isinstance(module, stnkit.SpatialTransformer)]
    assert len(transformers) == len(points)
    with torch.no_grad():
        for transformer in transformers:
            transformer.head.offset.add_(0.05)
    out = network(image)
    assert not torch.allclose(out, expected)
    return transformers, out


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("resnet10t", ["input", "layer2", "layer4.0.downsample"]),
        ("mobilenetv3_small_050", ["input", "blocks.2", "conv_head"]),
    ],
)
def test_a_timm_network_is_unchanged_at_construction_and_trains(timm, name, points):
    network = timm.create_model(name, num_classes=4).eval()
    image = torch.rand(2, 3, 128, 128)
    transformers, _ = inserted(network, points, image)
    network.train()(image).square().sum().backward()
    assert all(transformer.head.offset.grad.any() for transformer in transformers)


@pytest.mark.no_jaxtyping
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # see test_inserting.py
@pytest.mark.slow
def test_a_timm_network_copies_pickles_compiles_and_exports(timm):
    network = timm.create_model("resnet10t", num_classes=4).eval()
    image = torch.rand(2, 3, 64, 64)
    _, out = inserted(network, ["input", "layer2"], image)
    torch.testing.assert_close(copy.deepcopy(network)(image), out)
    torch.testing.assert_close(pickle.loads(pickle.dumps(network))(image), out)
    program = torch.export.export(network, (image,))
    torch.testing.assert_close(program.module()(image), out, atol=1e-4, rtol=1e-4)
    torch.compiler.reset()
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(image), out, atol=1e-4, rtol=1e-4)
