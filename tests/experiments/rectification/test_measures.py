"""Measures of a map from an output to an image: shares of its pixels."""

import math

import pytest
import torch

import stnkit
from stnkit.experiments.rectification.maps import ImageMap
from stnkit.experiments.rectification.measures import shares

AFFINE = {
    "identity": ([1, 0, 0, 0, 1, 0], 0.0, 0.0),
    "half outside": ([1, 0, 1, 0, 1, 0], 0.5, 0.0),
    "a mirror": ([-1, 0, 0, 0, 1, 0], 0.0, 1.0),
    "a turn": ([math.cos(2), -math.sin(2), 0, math.sin(2), math.cos(2), 0], None, 0.0),
    "onto a line": ([1, 2, 0, 2, 4, 0], None, 1.0),
}


@pytest.mark.parametrize(("theta", "outside", "folded"), AFFINE.values(), ids=AFFINE.keys())
def test_an_affine_map_folds_everywhere_or_nowhere(theta, outside, folded):
    family = stnkit.build("transform", "affine")
    theta = torch.tensor([theta], dtype=torch.float32)
    found = shares(ImageMap(family, theta), (300, 200))
    assert outside is None or found[0] == pytest.approx(outside, abs=0.01)
    assert found[1] == folded == stnkit.folds(family, theta, (30, 20)).item()


def test_a_spline_folds_at_a_part_of_the_output():
    family = stnkit.build("transform", "tps")
    theta = family.identity()[None] + 0.4 * torch.randn(1, family.n_params, generator=torch.Generator().manual_seed(0))
    found = shares(ImageMap(family, theta), (100, 90))
    assert 0 < found[1] == stnkit.folds(family, theta, (100, 90)).item() < 1
