"""The range of values of the training images, as a network sees them."""

import torch
from jaxtyping import Shaped
from torch import Tensor

from stnkit.experiments.data.rows import Rows

# Images that are looked at, and values in all of them: a file that is mapped is not read as a whole.
_IMAGES, _VALUES = 256, 2**25


def value_range(images: Shaped[Tensor, "N *shape"]) -> list[float]:
    """[smallest, largest] of at most 256 images, evenly spaced; [0, 1] of bytes, of which nothing is read.

    Args:
        images: of a split, uint8 or floating-point and finite.

    Example:
        >>> import torch
        >>> from stnkit.experiments.data.value_range import value_range
        >>> value_range(torch.tensor([[[[-1.0, 2.0]]], [[[0.0, 3.0]]]])), value_range(torch.zeros(1, 1, 2, 2).byte())
        ([-1.0, 3.0], [0.0, 1.0])
    """
    if images.dtype == torch.uint8:
        return [0.0, 1.0]
    n = max(1, min(len(images), _IMAGES, _VALUES // images[:1].numel()))
    low, high = Rows(images).take(torch.linspace(0, len(images) - 1, n, dtype=torch.long)).aminmax()
    return [float(low), float(high)]
