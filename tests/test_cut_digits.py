"""The share of a digit's ink that the canvas cuts off, against pictures that are moved by whole pixels."""

import math

import pytest
import torch

import stnkit
from tests.helpers import ROOT

AFFINE = stnkit.build("transform", "affine")


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def test_a_shift_cuts_what_it_moves_beyond_the_edge():
    from table1.cut import ink_outside

    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    # T_θ(p) = p + 3 pixels to the right, so that the image moves to the left by as much.
    theta = torch.tensor([1.0, 0, 3 * 2 / 8, 0, 1, 0]).repeat(3, 1)
    expected = images[..., :3].sum(dim=(1, 2, 3)) / images.sum(dim=(1, 2, 3))
    torch.testing.assert_close(ink_outside(images, AFFINE, theta), expected.double())


def test_nothing_is_cut_at_the_identity_and_corners_by_a_turn():
    from table1.cut import ink_outside

    images = torch.ones(1, 1, 64, 64)
    assert float(ink_outside(images, AFFINE, AFFINE.identity()[None])) == 0
    turned = stnkit.build("transform", "rotation")
    # A square that is turned by 45° leaves an octagon of 2 (√2 − 1) of its area.
    share = float(ink_outside(images, turned, torch.tensor([[math.pi / 4]])))
    assert share == pytest.approx(1 - 2 * (math.sqrt(2) - 1), abs=0.01)
