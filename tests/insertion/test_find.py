import copy

import pytest
import torch

import stnkit
from stnkit.insertion import find_transformers

COMPONENTS = {"transform": "affine", "localizer": "fully_connected", "sampler": "bilinear"}


def transformer():
    return stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(1, 8, 8)),
        stnkit.build("transform", "affine"),
        stnkit.build("sampler", "bilinear"),
    )


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(1, 1, 3, padding=1)
        self.second = torch.nn.Conv2d(2, 1, 3)

    def forward(self, image):
        return self.second(self.first(image).expand(-1, 1, -1, -1))


def test_inserted_transformers_have_the_names_of_their_modules():
    network = Network()
    points = {"input": COMPONENTS, "first": COMPONENTS, "second": COMPONENTS | {"parallel": 2}}
    stnkit.insert_transformers(network, points, torch.rand(2, 1, 8, 8))
    found = find_transformers(network)
    assert set(found) == {"input", "first", "second 1", "second 2"}
    assert found["first"] is network.first.spatial_transformer
    assert found["second 2"] is network.second.spatial_transformer.transformers[1]


def test_other_transformers_have_their_own_names():
    alone = transformer()
    assert find_transformers(alone) == {"input": alone}
    assert find_transformers(torch.nn.ModuleDict({"stn": alone})) == {"stn": alone}
    assert list(find_transformers(stnkit.ParallelTransformers([alone, transformer()]))) == ["input 1", "input 2"]
    assert find_transformers(torch.nn.Linear(2, 2)) == {}


def test_a_transformer_in_front_of_another_one_is_found():
    outer = transformer()
    outer.add_module("spatial_transformer", transformer())
    assert set(find_transformers(torch.nn.ModuleDict({"stn": outer}))) == {"stn", "stn.spatial_transformer"}


def test_a_shared_transformer_is_found_once():
    shared = transformer()
    assert list(find_transformers(torch.nn.ModuleDict({"a": shared, "b": shared}))) == ["a"]


def test_transformers_are_listed_outermost_first():
    network = torch.nn.Sequential()
    network.add_module("block", Network())
    network.block.second = torch.nn.Conv2d(1, 1, 3)
    network.add_module("last", torch.nn.Conv2d(1, 1, 3))
    # Whatever the order in which they are inserted.
    for points in (["block.second", "block", "last", "block.first"], ["last", "block", "block.first", "block.second"]):
        named = copy.deepcopy(network)
        stnkit.insert_transformers(named, dict.fromkeys(points, COMPONENTS), torch.rand(2, 1, 8, 8))
        assert list(find_transformers(named)) == ["block", "block.first", "block.second", "last"]


def test_a_message_lists_insertion_points_outermost_first():
    network = torch.nn.Sequential()
    for name in ("stem", "head"):
        network.add_module(name, torch.nn.Sequential(*(torch.nn.Conv2d(1, 1, 1) for _ in range(15))))
    with pytest.raises(stnkit.errors.InputError) as error:
        stnkit.insert_transformers(network, {"nowhere": COMPONENTS}, torch.rand(1, 1, 8, 8))
    assert "the insertion points are: input, stem, head, stem.0, stem.1, " in str(error.value)
