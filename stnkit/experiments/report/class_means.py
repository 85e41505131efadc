"""Mean images of each class: sharp where a transformer brought the images of a class into one pose."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def class_means(
    images: Float[Tensor, "N C *size"], labels: Int64[Tensor, "N"], n_classes: int
) -> Float[Tensor, "n_classes C *size"]:
    """Σ images of a class / their number; zero for a class without images.

    Args:
        images: any.
        labels: 0 … n_classes − 1.
        n_classes: how many means to take.
    """
    sums = images.new_zeros(n_classes, *images.shape[1:]).index_add_(0, labels, images)
    counts = torch.bincount(labels, minlength=n_classes).clamp(min=1).to(images)
    return sums / counts.view(-1, *[1] * (images.ndim - 1))
