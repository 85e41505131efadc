"""How much the poses of images vary that should all be alike: in a class, or in all of them."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def class_means(values: Float[Tensor, "N *any"], labels: Int64[Tensor, "N"], n_classes: int) -> Float[Tensor, "K *any"]:
    """The mean of each class; NaN for a class without images.

    Args:
        values: one entry for each image.
        labels: of the images.
        n_classes: K.
    """
    sums = values.new_zeros(n_classes, *values.shape[1:]).index_add_(0, labels, values)
    counts = torch.bincount(labels, minlength=n_classes).to(values)
    return sums / counts.view(-1, *[1] * (values.ndim - 1))


def mean_angles(degrees: Float[Tensor, "N"], labels: Int64[Tensor, "N"], n_classes: int) -> Float[Tensor, "K"]:
    """The mean direction of each class, in degrees: the angle of the mean of the unit vectors.

    Corrected by the mean of the deviations from it, so that for angles on less than a half circle it is their
    ordinary mean, wherever 180° lies among them.

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

    Of deviations from a class's own mean the second is its standard deviation, and the first the pooled one:
    51.96° for angles of U(−90°, 90°), 25.98° for U(−45°, 45°).

    Args:
        deviations: d, one for each image.
        labels: of the images.
        n_classes: number of classes.
    """
    squares = deviations.square()
    return squares.mean().sqrt().item(), class_means(squares, labels, n_classes).sqrt().tolist()
