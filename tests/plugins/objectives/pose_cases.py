"""Parts of the tests of the objective `pose`: runs, batches and distortions."""

import torch
from torch import nn

import stnkit
from stnkit.objectives import Batch, Setting


class Images(stnkit.Dataset):
    n_classes = 0

    def __init__(self, image_shape, target_shape=None, pair=False):
        self.image_shape, self.target_shape, self.pair = image_shape, target_shape, pair

    def split(self, name):
        raise AssertionError("no split is read before training")


def built(name, **options):
    return stnkit.build(*name.split("."), **options)


def transformer_of(family, in_shape, *, pair=False):
    localizer = built("localizer.fully_connected", in_shape=in_shape)
    sampled = in_shape[0] // 2 if pair else None
    return stnkit.SpatialTransformer(localizer, family, built("sampler.bilinear"), sampled_channels=sampled)


def prepared(family, distortion, image_shape=(1, 28, 28), target_shape=None, pair=False, **options):
    """The objective in a run of a transformer of that family."""
    objective = built("objective.pose", **options)
    in_shape = (image_shape[0], *distortion.out_size)
    transformer = transformer_of(family, in_shape, pair=pair)
    objective.prepare(Setting(Images(image_shape, target_shape, pair), distortion, in_shape, transformer))
    return objective


def batch_of(theta, true_theta, targets=None):
    n = len(theta)
    images = torch.zeros(n, 1, 4, 4)
    targets = torch.zeros(n) if targets is None else targets
    return Batch(images, targets, true_theta, theta, images, images, nn.Identity(), torch.Generator())


def rotations(*degrees):
    """θ of affine rotations by so many degrees."""
    angles = torch.deg2rad(torch.tensor(degrees))
    zero = torch.zeros_like(angles)
    return torch.stack([angles.cos(), -angles.sin(), zero, angles.sin(), angles.cos(), zero], dim=1)


def rotation(shape=(1, 28, 28)):
    return built("distortion.rotation", image_shape=shape)


def still(shape=(1, 28, 28)):
    return built("distortion.none", image_shape=shape)


def still_theta(n, ndim=2):
    return built("transform.affine", ndim=ndim).identity().float().repeat(n, 1)
