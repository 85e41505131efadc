"""SciPy's radial basis functions and its interpolation of images."""

import numpy as np
import torch
from scipy import interpolate, ndimage
from torch import Tensor

from stnkit import coordinates
from warp import Inputs, Warp
from work import UnavailableError


def tps(inputs: Inputs) -> Warp:
    """`RBFInterpolator` for the grids of all images together, then `map_coordinates` for each image and channel."""
    if inputs.image.is_cuda:
        raise UnavailableError("on the CPU only")
    batch, _, height, width = inputs.image.shape
    size = (height, width)
    controls = inputs.family.identity().view(2, -1).T
    planes = inputs.image.numpy(force=True)
    # Pixel indices, row before column, are what `map_coordinates` takes.
    sources = coordinates.to_pixels(inputs.theta.double().view(batch, 2, -1).transpose(1, 2), size)
    # (K, B × 2): a column for each coordinate of each image, so that one factorization serves all of them.
    values = sources.flip(-1).transpose(0, 1).flatten(1).numpy(force=True)
    points = coordinates.to_pixels(controls, size).flip(-1).numpy()
    pixels = np.indices(size).reshape(2, -1).T

    def output() -> Tensor:
        spline = interpolate.RBFInterpolator(points, values, kernel="thin_plate_spline", degree=1)
        grids = spline(pixels).T.reshape(batch, 2, height, width)
        warped = np.empty_like(planes)
        for of_image, image, grid in zip(warped, planes, grids, strict=True):
            for of_channel, channel in zip(of_image, image, strict=True):
                ndimage.map_coordinates(channel, grid, output=of_channel, order=1, mode="grid-constant")
        return torch.from_numpy(warped)

    return Warp(output)
