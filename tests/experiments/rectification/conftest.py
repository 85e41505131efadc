import types

import pytest
import torch

import stnkit
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.placement import build_network
from stnkit.experiments.trained_run import TrainedRun
from stnkit.packing.decoding import Decoding
from tests.helpers import COMPONENTS


def moved_heads(network, scale):
    """The network with heads that look at the image, as after training."""
    draws = torch.Generator().manual_seed(0)
    for transformer in network.transformers().values():
        weight = transformer.head.weight
        weight.data = scale * torch.randn(weight.shape, generator=draws)
    return network.eval()


class Absent(stnkit.Dataset):
    """A dataset of three classes whose images are elsewhere, with the options of a folder."""

    n_classes, class_names = 3, ("a", "b", "c")

    def __init__(self, in_shape, fit, background):
        self.image_shape = in_shape
        self.images = types.SimpleNamespace(decoding=Decoding.of_options(3, list(in_shape[1:3]), fit, background))

    def split(self, name):
        raise NotImplementedError


@pytest.fixture
def make_run():
    """A run as `load_run` gives it, on a dataset that is not there: options of a folder, and `values` of its record."""

    def make(in_shape=(3, 24, 32), fit="stretch", background=0, placement=None, scale=0.1, values=None, **components):
        config = COMPONENTS | {"network": {"name": "paper_fcn", "hidden": [8]}} | components
        placement = {"at": ["input"]} | (placement or {})
        torch.manual_seed(0)
        classes = None if config["network"] == "none" else 3
        network = build_network(config, in_shape=in_shape, n_classes=classes, **placement)
        undistorted = stnkit.build("distortion", "none", image_shape=in_shape)
        data = DistortedData(Absent(in_shape, fit, background), undistorted, batch_size=1, seed=0)
        objective = stnkit.build("objective", "classification" if classes else "alignment", n_classes=3)
        metrics = {} if values is None else {"dataset": {"value_range": values}}
        return TrainedRun(moved_heads(network, scale), objective, data, config | {"placement": placement}, metrics)

    return make
