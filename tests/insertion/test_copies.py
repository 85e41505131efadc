"""Copies have nothing in common: what is inserted into one or taken from it, the other does not see."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch.optim.swa_utils import AveragedModel

import stnkit
from tests.helpers import AFFINE, small_images, with_moved_input
from tests.insertion.networks import Small

pytestmark = pytest.mark.no_jaxtyping


def normalized():
    network = Small().eval()
    parametrizations.weight_norm(network.conv)
    return network


def normalized_afterwards():
    network = with_moved_input(Small().eval(), "conv")
    parametrizations.weight_norm(network.conv)
    del network.conv.spatial_transformer
    return network


class Doubling:
    def forward(self, image):
        return 2 * super().forward(image)


def exactly(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("made", [Small, normalized, normalized_afterwards])
@pytest.mark.parametrize("wrong", [{"typo": AFFINE}, {"norm": AFFINE | {"sampler": "typo"}}])
def test_a_refused_insertion_into_a_copy_changes_neither(made, wrong):
    network, seen = made().eval(), small_images()
    plain, other = network(seen), copy.deepcopy(network)
    cls = type(other.conv)
    moved = with_moved_input(network, "conv")(seen)
    assert not torch.allclose(moved, plain, atol=1e-4)
    with pytest.raises(stnkit.errors.StnkitError):
        stnkit.insert_transformers(other, {"conv": AFFINE} | wrong, seen)
    assert type(other.conv) is cls
    exactly(network(seen), moved)
    exactly(other(seen), plain)


@pytest.mark.parametrize("made", [Small, normalized, normalized_afterwards])
def test_what_a_copy_loses_the_network_keeps(made):
    network, seen = made().eval(), small_images()
    plain = network(seen)
    moved = with_moved_input(network, "conv")(seen)
    other = copy.deepcopy(network)
    del other.conv.spatial_transformer
    exactly(network(seen), moved)
    exactly(other(seen), plain)
    torch.testing.assert_close(with_moved_input(other, "conv")(seen), moved)
    exactly(network(seen), moved)


def test_a_host_without_parametrizations_has_its_own_class():
    network, seen = normalized(), small_images()
    plain = network(seen)
    moved = with_moved_input(network, "conv")(seen)
    assert type(network.conv).__name__ == "ParametrizedConv2d"
    del network.conv.spatial_transformer
    assert type(network.conv).__bases__ == (nn.Conv2d,)
    exactly(network(seen), plain)
    with_moved_input(network, "conv")
    parametrize.remove_parametrizations(network.conv, "weight")
    torch.testing.assert_close(network(seen), moved)
    del network.conv.spatial_transformer
    assert type(network.conv) is nn.Conv2d


def test_a_wrapper_of_a_parametrized_host_is_the_class():
    """Such as that of fully_shard: torch's own class is not the topmost any more."""
    network, seen = normalized(), small_images()
    network.conv.__class__ = type("Doubled", (Doubling, type(network.conv)), {})
    plain = network(seen)
    moved = with_moved_input(network, "conv")(seen)
    assert not torch.allclose(moved, plain, atol=1e-4)
    del network.conv.spatial_transformer
    assert type(network.conv).__name__ == "Doubled"
    exactly(network(seen), plain)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: AveragedModel(network).module])
def test_a_copy_keeps_a_class_derived_from_its_hosts(copied):
    network, seen = with_moved_input(Small(), "conv").eval(), small_images()
    network.conv.__class__ = type("Doubled", (Doubling, type(network.conv)), {})
    other = copied(network).eval()
    assert type(other.conv) is type(network.conv)
    exactly(other(seen), network(seen))


def test_a_derived_class_is_pickled_by_its_own_name(monkeypatch):
    network = with_moved_input(Small(), "conv").eval()
    derived = type("Doubled", (Doubling, type(network.conv)), {"__module__": __name__})
    monkeypatch.setitem(globals(), "Doubled", derived)
    network.conv.__class__ = derived
    other = pickle.loads(pickle.dumps(network))
    assert type(other.conv) is derived
    exactly(other(seen := small_images()), network(seen))
