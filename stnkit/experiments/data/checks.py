"""Checks of a split that a dataset has given: what it holds is said in one sentence, not by a kernel of PyTorch."""

import torch
from torch import Tensor

from stnkit.datasets import Dataset, Split
from stnkit.errors import DataError


def checked_split(dataset: Dataset, name: Split) -> tuple[Tensor, Tensor]:
    """The images and the labels of a split, the labels as int64.

    Args:
        dataset: that has the split.
        name: of the split.

    Raises:
        DataError: when there is no image, a shape is not the dataset's, a label is no class, or images are not
            uint8.
    """
    given = dataset.split(name)
    label = f"{type(dataset).__name__}.split({name!r})"
    if not isinstance(given, tuple | list) or len(given) != 2 or not all(isinstance(part, Tensor) for part in given):
        what = [type(part).__name__ for part in given] if isinstance(given, tuple | list) else type(given).__name__
        raise DataError(f"{label}: expected two tensors, images and labels, got {what}")
    images, labels = given
    shape, expected = tuple(images.shape), ("N", *dataset.image_shape)
    if shape[1:] != tuple(dataset.image_shape):
        raise DataError(f"{label}: expected images of shape ({', '.join(map(str, expected))}), got {shape}")
    if not len(images):
        raise DataError(f"{label}: expected at least one image, got none")
    if images.dtype != torch.uint8:
        raise DataError(f"{label}: expected images in uint8, from 0 to 255, got {images.dtype}")
    if labels.shape != images.shape[:1]:
        raise DataError(f"{label}: expected {len(images)} labels, one for each image, got shape {tuple(labels.shape)}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise DataError(f"{label}: expected labels of whole numbers, such as int64, got {labels.dtype}")
    labels = labels.long()
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= dataset.n_classes:
        raise DataError(f"{label}: expected labels from 0 to {dataset.n_classes - 1}, got {low} to {high}")
    return images, labels
