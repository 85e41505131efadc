"""Components of each contract that lack an attribute which it must set."""

import typing

import torch

import stnkit


class Shift(stnkit.TransformFamily):
    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None]


class Rows(stnkit.families.MatrixFamily):
    n_params = 6

    def identity(self):
        return torch.eye(2, 3, dtype=torch.float64).flatten()

    def rows(self, theta):
        return theta.view(-1, 2, 3)


class Box(stnkit.samplers.KernelSampler):
    def kernel(self, distance):
        return torch.ones_like(distance)


class Looks(stnkit.Localizer):
    def __init__(self, in_shape: tuple[int, ...]):
        super().__init__()

    def features(self, image):
        return image.mean((2, 3))


class Pictures(stnkit.Dataset):
    n_classes = 2

    def split(self, name):
        raise NotImplementedError


class Shake(stnkit.Distortion):
    def __init__(self, image_shape: tuple[int, ...]):
        self.out_size = image_shape[1:]

    def sample(self, n, generator):
        raise NotImplementedError

    def apply(self, images, theta, generator):
        raise NotImplementedError


class Aims(stnkit.Objective):
    def losses(self, batch):
        raise NotImplementedError

    def measure(self, batch):
        raise NotImplementedError


class Judges(Aims):
    figures: typing.ClassVar = {"error": stnkit.objectives.Figure()}
