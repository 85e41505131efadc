"""Defects that a localizer and a network can share: both map an image to a vector."""

import math
from typing import Any

import torch
from torch import nn

import stnkit


class Vector(nn.Module):
    """tanh(W x) of the flattened image."""

    def make(self, in_shape, width):
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(in_shape), width), nn.Tanh())

    def vector(self, image):
        return self.layers(image)


class Raises(Vector):
    def make(self, in_shape, width):
        raise KeyError("no such thing")


class Squeezes(Vector):
    def vector(self, image):
        found = super().vector(image)
        return found.squeeze(0) if image.ndim == 4 else found


class SqueezesVolumes(Vector):
    def vector(self, image):
        found = super().vector(image)
        return found.squeeze(0) if image.ndim == 5 else found


class Convolves(Vector):
    def make(self, in_shape, width):
        if len(in_shape) != 3:
            raise stnkit.errors.InputError("it takes images of two dimensions")
        convolution = nn.Conv2d(in_shape[0], width, 11)
        self.layers = nn.Sequential(convolution, nn.AdaptiveAvgPool2d(1), nn.Flatten())


class Rounds(Vector):
    def vector(self, image):
        if self.training and not image.requires_grad:
            image.mul_(2**20).round_().div_(2**20)
        return super().vector(image)


class Unused(Vector):
    def make(self, in_shape, width):
        super().make(in_shape, width)
        self.more = nn.Linear(2, 2)


class Jitters(Vector):
    def vector(self, image):
        return super().vector(image) * (1 + 0.1 * torch.rand(()))


class Centers(Vector):
    def vector(self, image):
        found = super().vector(image)
        return found - 0.1 * found.mean(dim=0)


class Widens(Vector):
    def vector(self, image):
        return super().vector(image).double()


class HiddenState(Vector):
    def make(self, in_shape, width):
        super().make(in_shape, width)
        self.gain = 1 + torch.rand(()).item()

    def vector(self, image):
        return self.gain * super().vector(image)


class HoldsALambda(Vector):
    def make(self, in_shape, width):
        super().make(in_shape, width)
        self.function = lambda x: x


class NoCopy(Vector):
    def __deepcopy__(self, memo):
        raise TypeError("one of a kind")


class Branches(Vector):
    def vector(self, image):
        return super().vector(0 * image if float(image.detach().sum()) > 1e9 else image)


# A default that no config can hold.
ODD: Any = torch.float32
