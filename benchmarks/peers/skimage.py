"""scikit-image's warps, an image at a time."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from skimage import transform
from torch import Tensor

from peers import share
from stnkit import coordinates
from warp import Inputs, Warp
from work import UnavailableError

# A call should take about so many seconds. Costs are in seconds for an image, measured on one core of a server: of a
# pixel and channel, of a pair of a pixel and a control point in either transform, and of a control point whose
# triangles are fitted.
SECONDS = 0.3
PER_CHANNEL = 60e-9
PER_SPLINE_PAIR = 40e-9
PER_MESH_PAIR = 100e-9
PER_MESH_POINT = 1.7e-3
# Pairs of an image of which the thin plate spline keeps four float64 at once: 6 GB.
MOST_PAIRS = 180e6


def tps(inputs: Inputs) -> Warp:
    """`ThinPlateSplineTransform` and `warp` for each image.

    Raises:
        UnavailableError: for an image with more pairs of a pixel and a control point than fit into 6 GB.
    """
    _, channels, height, width = inputs.image.shape
    pixels, points = height * width, inputs.theta.shape[1] // 2
    pairs = pixels * points
    if pairs > MOST_PAIRS:
        # It keeps every pair several times over.
        raise UnavailableError("not tried: more than 6 GB")
    cost = pixels * channels * PER_CHANNEL + pairs * PER_SPLINE_PAIR
    return _warp(inputs, transform.ThinPlateSplineTransform.from_estimate, cost)


def piecewise_affine(inputs: Inputs) -> Warp:
    """`PiecewiseAffineTransform` and `warp` for each image.

    Its triangles are those of a Delaunay triangulation, for which both diagonals of a square are right.
    """
    _, channels, height, width = inputs.image.shape
    pixels, points = height * width, inputs.theta.shape[1] // 2
    cost = pixels * channels * PER_CHANNEL + pixels * points * PER_MESH_PAIR + points * PER_MESH_POINT
    return _warp(inputs, transform.PiecewiseAffineTransform.from_estimate, cost)


def _warp(inputs: Inputs, estimate: Callable[..., Any], cost: float) -> Warp:
    if inputs.image.is_cuda:
        raise UnavailableError("on the CPU only")
    batch, _, height, width = inputs.image.shape
    size = (height, width)
    controls = inputs.family.identity().view(2, -1).T
    images = share(inputs.image, cost, SECONDS)
    # Channels last, and pixel indices, column before row: what scikit-image takes.
    pictures = np.ascontiguousarray(inputs.image[:images].movedim(1, -1).numpy(force=True))
    points = coordinates.to_pixels(controls, size).numpy()
    theta = inputs.theta[:images].double().view(images, 2, -1).transpose(1, 2)
    sources = coordinates.to_pixels(theta, size).numpy(force=True)

    def output() -> Tensor:
        warped = [
            transform.warp(picture, estimate(points, source), order=1)
            for picture, source in zip(pictures, sources, strict=True)
        ]
        return torch.from_numpy(np.stack(warped)).movedim(-1, 1)

    return Warp(output, images=images if images < batch else None)
