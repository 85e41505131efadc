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
