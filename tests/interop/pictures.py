"""A picture and a volume that are not square, maps that leave them, and their warps by stnkit."""

import numpy as np
import torch

import stnkit

IN, OUT = (23, 37), (31, 29)
VOLUME, OUT_VOLUME = (11, 17, 23), (13, 12, 19)
IMAGE = np.random.default_rng(0).random(IN)
VOXELS = np.random.default_rng(1).random(VOLUME)

# A shear, a turn and a zoom; a part of the output is outside of the image.
AFFINE = [0.85, 0.3, 0.2, -0.25, 0.9, -0.1]
PROJECTIVE = [*AFFINE, 0.15, -0.2]
AFFINE_3D = [0.9, 0.2, -0.1, 0.1, -0.15, 0.85, 0.2, -0.1, 0.1, -0.1, 0.95, 0.2]


def affine(ndim=2):
    """The family and one θ."""
    theta = torch.tensor([AFFINE if ndim == 2 else AFFINE_3D], dtype=torch.float64)
    return stnkit.build("transform", "affine", ndim=ndim), theta


def projective():
    """The family and one θ, with the horizon outside of the output."""
    return stnkit.build("transform", "projective"), torch.tensor([PROJECTIVE], dtype=torch.float64)


def tps():
    """The family and one θ, whose points move by up to 0.3."""
    family = stnkit.build("transform", "tps", control_points=[4, 4])
    noise = torch.rand(32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return family, (family.identity() + 0.6 * (noise - 0.5))[None]


def warped(family, theta, image, out_size, padding="zeros"):
    """The picture of stnkit, in float64."""
    sampler = stnkit.build("sampler", "bilinear", padding=padding, **({"fill_value": 0.3} if padding == "fill" else {}))
    batch = torch.as_tensor(image, dtype=torch.float64)[None, None]
    return stnkit.warp(family, theta, batch, sampler, out_size)[0, 0].numpy()


def inside(pixels, size):
    """True where all coordinates are among the centers of pixels."""
    return ((pixels >= 0) & (pixels <= np.array(size[::-1]) - 1)).all(axis=-1)


def error(first, second):
    """The largest difference."""
    return float(np.abs(np.asarray(first, dtype=np.float64) - second).max())


def mean_error(first, second):
    """The mean difference: of noise it is about 0.2 where a map is off by half a pixel or more."""
    return float(np.abs(np.asarray(first, dtype=np.float64) - second).mean())
