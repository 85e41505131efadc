"""The map from the transformer's output back to the original image, and the pose in which it shows the original."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.family import TransformFamily
from stnkit.families.onward import has_source, onward

# Step of the central differences, in half images. Families compute in float64; one that computes in float32 loses
# three of its seven digits.
STEP = 1e-3

PointMap = Callable[[Tensor], Tensor]


class Poses(NamedTuple):
    """The poses of originals in the transformer's output, in pixels of the original.

    Attributes:
        degrees: rotation of the similarity nearest to the map at the center; None in three dimensions.
        log_scale: natural logarithm of the number of original pixels that an output pixel spans at the center: of the
            square root of the ratio of areas, in three dimensions of the cube root of that of volumes.
        center: the point of the original that the center of the output shows.
        corners: the same for the corners, the last coordinate varying slowest.
        defined: True where no corner lies behind a horizon and the map is not folded at the center.
    """

    degrees: Float[Tensor, "N"] | None
    log_scale: Float[Tensor, "N"]
    center: Float[Tensor, "N ndim"]
    corners: Float[Tensor, "N corners ndim"]
    defined: Bool[Tensor, "N"]


def composed(
    distortion: TransformFamily,
    true_theta: Float[Tensor, "N Q"],
    family: TransformFamily | None = None,
    theta: Float[Tensor, "N P"] | None = None,
) -> PointMap:
    """D∘T_θ: points of the output ↦ points of the original, in float64; D alone without a transformer.

    Args:
        distortion: the family of D, which maps points of the distorted image to points of the original.
        true_theta: the parameters of D for each image.
        family: of the transformer.
        theta: its θ for each image.
    """

    def evaluate(points: Tensor) -> Tensor:
        with coordinates.full_precision(points):
            if family is not None and theta is not None:
                points = family(theta.double(), points)
            return onward(distortion, true_theta.double(), points)

    return evaluate


def poses(point_map: PointMap, size: Sequence[int], out_size: Sequence[int], like: Tensor) -> Poses:
    """The poses that a map original ← output gives to originals.

    Args:
        point_map: maps normalized points (1, M, ndim) of the output to those of each original, (N, M, ndim).
        size: of the originals, (H, W) or (D, H, W).
        out_size: of the output.
        like: a tensor on the device to compute on.
    """
    ndim = len(size)
    step = STEP * torch.eye(ndim, dtype=torch.float64, device=like.device)
    targets = torch.cat([step.new_zeros(1, ndim), step, -step, coordinates.corners(ndim, device=like.device)])
    normalized = point_map(targets[None])
    sources, targets = coordinates.to_pixels(normalized, size), coordinates.to_pixels(targets, out_size)

    ahead, behind = slice(1, 1 + ndim), slice(1 + ndim, 1 + 2 * ndim)
    spans = torch.diagonal(targets[ahead] - targets[behind])
    jacobian = ((sources[:, ahead] - sources[:, behind]) / spans[:, None]).mT
    determinant = torch.linalg.det(jacobian)
    degrees = None
    if ndim == 2:
        # The rotation nearest to a 2×2 matrix (Procrustes).
        sine, cosine = jacobian[:, 1, 0] - jacobian[:, 0, 1], jacobian[:, 0, 0] + jacobian[:, 1, 1]
        degrees = torch.rad2deg(torch.atan2(sine, cosine))
    near = has_source(normalized).all(dim=-1).all(dim=-1)
    return Poses(
        degrees,
        determinant.abs().log() / ndim,
        sources[:, 0],
        sources[:, 1 + 2 * ndim :],
        near & (determinant > 0),
    )
