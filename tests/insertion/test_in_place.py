"""Hosts that change their image in place: refused where the network reads the image again."""

import types

import pytest
import torch
from torch import nn

import stnkit

from .test_refusals import AFFINE, refused

pytestmark = pytest.mark.no_jaxtyping


class Shortcut(nn.Module):
    """A residual block whose ReLU changes the image of the shortcut, unless it has a copy."""

    def __init__(self, is_read):
        super().__init__()
        self.is_read = is_read
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        x = self.conv1(x)
        shortcut = x if self.is_read else x.clone()
        return {"sum": self.conv2(self.relu(x)) + shortcut}


class Counting(nn.Module):
    """A network that gives something else each time."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.n = 0

    def forward(self, x):
        self.n += 1
        return self.relu(x) + self.n


class Scaled(nn.Module):
    def forward(self, *, image):
        return image.mul_(2)


class ByName(nn.Module):
    def __init__(self):
        super().__init__()
        self.scaled = Scaled()

    def forward(self, x):
        x = x + 1
        return self.scaled(image=x) + x


def test_an_image_that_is_changed_and_read_again_is_refused():
    message = (
        "^insertion point 'relu': expected a module that leaves its image as it is, got a ReLU that changes it in "
        "place, and the network reads it again: choose another point, or a module that is not in place$"
    )
    refused(Shortcut(is_read=True), {"conv1": AFFINE, "relu": AFFINE}, torch.randn(2, 1, 8, 8), message)
    refused(ByName(), {"scaled": AFFINE}, torch.randn(2, 1, 8, 8), "'scaled': .* got a Scaled that changes it in place")


def test_an_image_that_is_changed_and_not_read_is_accepted():
    network, image = Shortcut(is_read=False).eval(), torch.randn(2, 1, 8, 8)
    expected = network(image)["sum"]
    stnkit.insert_transformers(network, {"relu": AFFINE | {"transform_init": {"zoom": 1}}}, image)
    torch.testing.assert_close(network(image)["sum"], expected, atol=1e-5, rtol=0)


def test_a_module_in_place_at_the_input_leaves_the_example():
    network, image = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(1, 2, 3)), torch.randn(2, 1, 8, 8)
    kept = image.clone()
    stnkit.insert_transformers(network, {"input": AFFINE}, image)
    assert torch.equal(image, kept)


def test_a_network_of_changing_outputs_is_accepted():
    network = stnkit.insert_transformers(Counting(), {"relu": AFFINE}, torch.randn(2, 1, 8, 8))
    assert hasattr(network.relu, "spatial_transformer")


@pytest.mark.parametrize(
    ("following", "options"),
    [
        ([nn.Conv2d(2, 4, 3)], {"parallel": 2}),
        ([nn.Flatten(), nn.Linear(16, 2)], {"out_size": [4, 4]}),
    ],
)
def test_a_network_for_the_outputs_of_transformers_is_not_asked(following, options):
    network = nn.Sequential(nn.ReLU(inplace=True), *following)
    stnkit.insert_transformers(network, {"0": AFFINE | options}, images := torch.rand(2, 1, 8, 8))
    assert len(network(images)) == 2


class Once(nn.Module):
    """A network that runs once."""

    def __init__(self):
        super().__init__()
        self.relu, self.has_run = nn.ReLU(inplace=True), False

    def forward(self, x):
        if self.has_run:
            raise ValueError("no more")
        self.has_run = True
        return self.relu(x)


def test_a_network_that_cannot_be_asked_again_is_refused():
    message = (
        r"^insertion point 'relu': expected a network that runs on example_input again, since a ReLU changes its image "
        r"in place, got ValueError: no more$"
    )
    refused(Once(), {"relu": AFFINE}, torch.randn(2, 1, 8, 8), message)


class OfKeywords(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, *, image):
        return self.relu(image) + image


@pytest.mark.parametrize("form", [dict, types.MappingProxyType])
def test_an_example_of_keywords_stays_as_it_was(form):
    image = torch.randn(2, 1, 8, 8)
    before = image.clone()
    refused(OfKeywords(), {"relu": AFFINE}, form({"image": image}), "changes it in place")
    assert torch.equal(image, before)


def test_inference_mode_takes_a_host_in_place_too():
    network = nn.Sequential(nn.ReLU(inplace=True), nn.Flatten())
    with torch.inference_mode():
        stnkit.insert_transformers(network, {"0": AFFINE}, torch.rand(2, 1, 8, 8))
    assert hasattr(network[0], "spatial_transformer")
