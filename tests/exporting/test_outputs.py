"""Outputs of exported networks: one name for each value that a transformer computes."""

import pytest
import torch
from torch import nn

import stnkit
from stnkit.errors import InputError
from stnkit.exporting.outputs import NamedOutputs
from tests.exporting.networks import SHAPE, images, transformer

pytestmark = pytest.mark.no_jaxtyping

AFFINE = {"transform": "affine", "localizer": {"name": "fully_connected", "hidden": [4]}, "sampler": "bilinear"}


class Alike(nn.Module):
    """Modules whose names are one identifier."""

    def __init__(self):
        super().__init__()
        self.layer = nn.ModuleDict({"a": nn.Conv2d(1, 1, 1), "a_2": nn.Conv2d(1, 1, 1)})
        self.layer_a = nn.Conv2d(1, 1, 1)

    def forward(self, image):
        return self.layer_a(self.layer["a_2"](self.layer["a"](image)))


class Twice(nn.Module):
    """A network that calls one transformer twice."""

    def __init__(self):
        super().__init__()
        self.transformer = transformer()

    def forward(self, image):
        return self.transformer(self.transformer(image)).mean((2, 3))


def moved(network):
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, stnkit.SpatialTransformer):
                module.head.weight.normal_(std=0.05)
    return network.eval()


def test_points_of_one_identifier_have_outputs_of_their_own():
    network = stnkit.insert_transformers(Alike(), dict.fromkeys(["layer.a", "layer.a_2", "layer_a"], AFFINE), images(2))
    moved(network)
    suffixes = {"layer.a": "_layer_a_3", "layer.a_2": "_layer_a_2", "layer_a": "_layer_a"}
    with torch.no_grad():
        found = NamedOutputs(network, "logits")(images(2))
    kinds = [kind + suffix for kind in ("warped", "theta") for suffix in suffixes.values()]
    assert sorted(found) == sorted(["logits", *kinds])
    image = images(2)
    for point, suffix in suffixes.items():
        host = network.get_submodule(point)
        torch.testing.assert_close(found[f"theta{suffix}"], host.spatial_transformer.localize(image))
        torch.testing.assert_close(found[f"warped{suffix}"], host.spatial_transformer(image))
        image = host(image)


@pytest.mark.slow
def test_every_call_of_a_transformer_is_exported(tmp_path):
    network = Twice().eval()
    said = stnkit.export(network, images(), tmp_path / "network.pt2", theta=True, warped=True)
    assert list(said.outputs) == ["logits", "warped", "warped_2", "theta", "theta_2"]
    program = torch.export.load(tmp_path / "network.pt2").module()
    found, once = program(images(2)), network.transformer(images(2))
    torch.testing.assert_close(found["theta"], network.transformer.localize(images(2)), atol=1e-5, rtol=0)
    torch.testing.assert_close(found["theta_2"], network.transformer.localize(once), atol=1e-5, rtol=0)
    torch.testing.assert_close(found["warped_2"], network.transformer(once), atol=1e-5, rtol=0)


def test_an_output_of_a_name_that_is_taken_is_refused():
    parallel = stnkit.ParallelTransformers([transformer(), transformer()])
    with pytest.raises(InputError, match=r"^output: expected a name that no other output has, got 'warped_input_1'$"):
        NamedOutputs(parallel, "warped_input_1")(torch.rand(1, *SHAPE))
