"""Copies have nothing in common: what is inserted into one or taken from it, the other does not see."""

import copy
import pickle

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

from tests.helpers import small_images, with_moved_input
from tests.insertion.networks import Small

pytestmark = pytest.mark.no_jaxtyping


class Doubling:
    def forward(self, image):
        return 2 * super().forward(image)


def exactly(found, expected):
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


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
