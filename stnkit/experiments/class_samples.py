"""Images that stand for their classes in a picture, and the names of the classes."""

from collections.abc import Sequence

import torch
from jaxtyping import Int64
from torch import Tensor

# Characters of a name above a column.
_WIDTH = 14


def classes_in(labels: Int64[Tensor, "N"], limit: int) -> tuple[int, ...]:
    """The classes that occur, at most `limit` of them, the smallest labels first."""
    return tuple(torch.unique(labels).tolist()[:limit])


def of_each_class(labels: Int64[Tensor, "N"], classes: Sequence[int], k: int) -> Int64[Tensor, "K"]:
    """Index of the k-th image of each class, or of its last where there are fewer.

    Args:
        labels: of all images.
        classes: that occur among the labels.
        k: from 0.
    """
    found = [torch.nonzero(labels == label)[:, 0] for label in classes]
    return torch.stack([indices[min(k, len(indices) - 1)] for indices in found])


def captions(classes: Sequence[int], names: Sequence[str] | None) -> tuple[str, ...]:
    """The names of classes, cut where they are too long for a column, or their labels where they have no names.

    Args:
        classes: by label.
        names: of all classes, by label.

    Example:
        >>> captions([1, 0], ["Siberian husky dog", "cat"])
        ('Siberian husk…', 'cat')
    """
    full = [str(label) if names is None else names[label] for label in classes]
    return tuple(name if len(name) <= _WIDTH else f"{name[: _WIDTH - 1]}…" for name in full)
