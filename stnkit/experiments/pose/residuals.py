"""The spread of poses that should all be alike, about the mean of their class."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stnkit.experiments.class_means import class_means


def mean_angles(degrees: Float[Tensor, "N"], labels: Int64[Tensor, "N"], n_classes: int) -> Float[Tensor, "K"]:
    """The mean direction of each class, in degrees: the angle of the mean of the unit vectors.

    The mean deviation from that angle is added, so that angles within half a circle have their ordinary mean,
    wherever 180° lies among them.

    Args:
        degrees: one angle for each image.
        labels: of the images.
        n_classes: K.
    """
    radians = torch.deg2rad(degrees)
    vectors = class_means(torch.stack([radians.cos(), radians.sin()], dim=1), labels, n_classes)
    direction = torch.rad2deg(torch.atan2(vectors[:, 1], vectors[:, 0]))
    return wrapped(direction + class_means(wrapped(degrees - direction[labels]), labels, n_classes))


def wrapped(degrees: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The same angles in [−180°, 180°)."""
    return torch.remainder(degrees + 180, 360) - 180


def root_mean_square(
    deviations: Float[Tensor, "N"], labels: Int64[Tensor, "N"], n_classes: int
) -> tuple[float, list[float]]:
    """√mean d² over all images, and over those of each class.

    For deviations from the mean of each class these are the pooled standard deviation and that of each class:
    51.96° for angles of U(−90°, 90°), 25.98° for U(−45°, 45°).

    Args:
        deviations: d, one for each image.
        labels: of the images.
        n_classes: number of classes.
    """
    squares = deviations.square()
    return squares.mean().sqrt().item(), class_means(squares, labels, n_classes).sqrt().tolist()
