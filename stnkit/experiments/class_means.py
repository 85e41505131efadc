"""Means over the images of each class."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor


def class_means(values: Float[Tensor, "N *any"], labels: Int64[Tensor, "N"], n_classes: int) -> Float[Tensor, "K *any"]:
    """Σ values of a class / number of its images; NaN for a class without images.

    Args:
        values: one entry for each image: a number, a vector, or the image itself.
        labels: of the images, 0 … n_classes − 1.
        n_classes: K.
    """
    sums = values.new_zeros(n_classes, *values.shape[1:]).index_add_(0, labels, values)
    counts = torch.bincount(labels, minlength=n_classes).to(values)
    return sums / counts.view(-1, *[1] * (values.ndim - 1))
