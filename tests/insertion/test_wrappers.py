"""A module that hands on the attributes of its child is not taken for that child."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import stnkit
from tests.helpers import AFFINE, small_images, transformer_of, with_moved_input
from tests.insertion.networks import Small

pytestmark = pytest.mark.no_jaxtyping


class Wrapper(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    def forward(self, image):
        return self.model(image)


def with_a_transformer():
    return with_moved_input(Small(), "input")


def compiled():
    return torch.compile(Small(), backend="eager")


def parametrized():
    conv = nn.Conv2d(1, 2, 3)
    parametrizations.weight_norm(conv)
    return conv


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("made", [with_a_transformer, compiled, parametrized])
def test_a_wrapper_is_a_host_of_its_own(made):
    network, seen = Wrapper(made()).eval(), small_images()
    plain = network(seen)
    stnkit.insert_transformers(network, {"input": AFFINE}, seen)
    torch.testing.assert_close(network(seen), plain)
    transformer = network._modules["spatial_transformer"]
    with torch.no_grad():
        transformer.head.offset += 0.1
    torch.testing.assert_close(network(seen), network.model(transformer(seen)))
    del network.spatial_transformer
    assert type(network) is Wrapper
    torch.testing.assert_close(network(seen), plain)


@pytest.mark.parametrize("held", [lambda self: None, "a string"])
def test_a_name_that_is_taken_is_refused(held):
    class Named(Small):
        spatial_transformer = held

    with pytest.raises(stnkit.errors.InputError, match="there is a spatial_transformer at insertion point 'input'"):
        stnkit.insert_transformers(Named(), {"input": AFFINE}, small_images())


def test_a_transformer_that_is_there_is_refused():
    network = with_moved_input(Small(), "input")
    transformer = transformer_of(network)
    with pytest.raises(stnkit.errors.InputError, match="there is a spatial_transformer at insertion point 'input'"):
        stnkit.insert_transformers(network, {"input": AFFINE}, small_images())
    assert transformer_of(network) is transformer
