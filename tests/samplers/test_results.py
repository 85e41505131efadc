"""The result of a sampler is checked where it is used, in one sentence with the class and the method."""

import pytest
import torch
from torch import nn

import stnkit

pytestmark = pytest.mark.no_jaxtyping

IMAGE, GRID = torch.rand(2, 3, 5, 6), torch.zeros(2, 4, 7, 2)
READ = torch.zeros(2, 3, 4, 7)
WRONG = {
    "tuple": ((READ, GRID), "tuple"),
    "none": (None, "NoneType"),
    "ndarray": (READ.numpy(), "ndarray"),
    "first image only": (READ[:1], "[1, 3, 4, 7]"),
    "channels last": (READ.movedim(1, -1), "[2, 4, 7, 3]"),
    "other size": (READ[..., 1:], "[2, 3, 4, 6]"),
    "one channel": (READ[:, :1], "[2, 1, 4, 7]"),
    "no batch": (READ[0], "[3, 4, 7]"),
}
CASES = [pytest.param(*given, id=name) for name, given in WRONG.items()]


def refusal(call):
    with pytest.raises(stnkit.errors.InputError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(("result", "got"), CASES)
def test_what_is_no_read_image_is_refused_by_name(result, got):
    mine = type("Mine", (stnkit.Sampler,), {"forward": lambda self, image, grid: result})()
    said = f"Mine.forward: expected a tensor of shape [2, 3, 4, 7], got {got}"
    assert refusal(lambda: mine(IMAGE, GRID)) == said


@pytest.mark.parametrize("padding", ["zeros", "fill"])
@pytest.mark.parametrize(("result", "got"), CASES)
def test_a_padded_sampler_names_sample(result, got, padding):
    base = stnkit.samplers.PaddedSampler
    mine = type("Mine", (base,), {"sample": lambda self, image, grid: result})(padding=padding)
    said = f"Mine.sample: expected a tensor of shape [2, 3, 4, 7], got {got}"
    assert refusal(lambda: mine(IMAGE, GRID)) == said


@pytest.mark.parametrize("base", [stnkit.Sampler, nn.Module])
def test_a_warp_refuses_what_no_sampler_may_give(base):
    mine = type("Mine", (base,), {"forward": lambda self, image, grid: (image, grid)})()
    family = stnkit.build("transform", "translation")
    said = "Mine.forward: expected a tensor of shape [2, 3, 5, 6], got tuple"
    assert refusal(lambda: stnkit.warp(family, torch.zeros(2, 2), IMAGE, mine)) == said


def test_one_grid_may_serve_all_images_of_an_own_sampler():
    mine = type("Mine", (stnkit.Sampler,), {"forward": lambda self, image, grid: READ})()
    assert mine(IMAGE, GRID[:1]) is READ
    assert mine(IMAGE[:1], GRID) is READ
