"""A component for images alone, or for volumes alone, is checked for those: `dimensions` says why not for the other."""

import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import stnkit

pytestmark = pytest.mark.no_jaxtyping


class Ordinary(stnkit.Network):
    """As a user of images writes it: nothing in it knows of volumes."""

    convolution = nn.Conv2d

    def __init__(self, in_shape: tuple[int, ...], n_classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(self.convolution(in_shape[0], 4, 3, padding=1), nn.Tanh(), nn.Flatten())
        self.logits = nn.Linear(4 * math.prod(in_shape[1:]), n_classes)

    def forward(self, image):
        return self.logits(self.layers(image))


class ForVolumes(Ordinary):
    convolution = nn.Conv3d


class UnpacksTheShape(Ordinary):
    def __init__(self, in_shape: tuple[int, ...], n_classes: int) -> None:
        _, _, _ = in_shape
        super().__init__(in_shape, n_classes)


class Refuses(Ordinary):
    def __init__(self, in_shape: tuple[int, ...], n_classes: int) -> None:
        if len(in_shape) != 3:
            raise stnkit.errors.InputError(f"expected images (C, H, W), got {list(in_shape)}")
        super().__init__(in_shape, n_classes)


class OrdinaryLocalizer(stnkit.Localizer):
    n_features = 4

    def __init__(self, in_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(in_shape[0], 4, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(1))

    def features(self, image):
        return self.layers(image).flatten(1)


class OrdinarySampler(stnkit.Sampler):
    def forward(self, image, grid):
        batch, channels, *_ = image.shape
        _, height, width, _ = grid.shape
        found = F.grid_sample(image.to(grid.dtype), grid, align_corners=False)
        return found.view(batch, channels, height, width).to(image.dtype)


class OrdinaryDistortion(stnkit.Distortion):
    def __init__(self, image_shape: tuple[int, ...]) -> None:
        self.family, self.out_size = stnkit.build("transform", "translation"), image_shape[1:]

    def sample(self, n, generator):
        return 0.2 * torch.rand(n, 2, generator=generator) - 0.1

    def apply(self, images, theta, generator):
        return F.grid_sample(images, self.family.grid(theta, self.out_size), align_corners=False)


def skipped(checked):
    return {result.name: result.reason for result in checked.results if result.outcome == "skipped"}


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        (Ordinary, r"it takes images only: .*RuntimeError: .* input to conv2d"),
        (ForVolumes, r"it takes volumes only: RuntimeError: Given groups=1, .* but got 5 channels"),
        (UnpacksTheShape, r"it takes images only: .*too many values to unpack"),
        (Refuses, r"it takes images only: network 'Refuses': expected images \(C, H, W\), got \[1, 16, 16, 16\]"),
        (OrdinaryLocalizer, r"it takes images only: .*RuntimeError: .* input to conv2d"),
        (OrdinarySampler, r"it reads images only: ValueError: too many values to unpack"),
        (OrdinaryDistortion, r"it takes images only: size: expected 2 whole numbers"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_component_for_one_of_the_two_fails_nothing(component, reason):
    checked = stnkit.testing.run(component)
    assert checked.ok, str(checked)
    assert re.match(reason, skipped(checked)["dimensions"]), str(checked)


def test_a_component_that_works_for_neither_fails():
    class Neither(Ordinary):
        def forward(self, image):
            raise KeyError("no such layer")

    checked = stnkit.testing.run(Neither)
    assert "logits" in [result.name for result in checked.results if result.outcome == "failed"]
    assert "it raised KeyError: 'no such layer'" in str(checked)


def test_a_fixed_shape_is_the_only_one_that_is_checked():
    checked = stnkit.testing.run(ForVolumes, in_shape=[1, 6, 6, 6])
    assert checked.ok, str(checked)
    assert skipped(checked)["dimensions"] == "it is checked for volumes of [1, 6, 6, 6] only"
    assert not stnkit.testing.run(Ordinary, in_shape=[1, 6, 6, 6]).ok
