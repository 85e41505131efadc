"""Rows of images that may be mapped from a file larger than the memory."""

import numpy as np
import torch
from jaxtyping import Float, Int64, Shaped, UInt8
from torch import Tensor

from stnkit.experiments.data.mapped_file import mapped_file

_OF_NUMPY = (torch.uint8, torch.float16, torch.float32, torch.float64)


class Rows:
    """The images of a split, read in batches.

    Args:
        images: uint8 or floating-point, in memory or mapped.

    Example:
        >>> import torch
        >>> from stnkit.experiments.data.rows import Rows
        >>> Rows(torch.arange(8).view(4, 2)).take(torch.tensor([2, 0]))
        tensor([[4, 5],
                [0, 1]])
    """

    def __init__(self, images: Shaped[Tensor, "N *shape"]) -> None:
        self.images = images
        self._file = mapped_file(images)
        self.refresh()

    def __len__(self) -> int:
        return len(self.images)

    def refresh(self) -> None:
        """Read through the mapping from now on if this process has changed the tensor in place."""
        if self._file is not None and not self._file.is_current():
            self._file = None

    def take(self, index: Int64[Tensor, "B"]) -> Shaped[Tensor, "B *shape"]:
        """A copy of the rows with these indices."""
        if self._file is not None:
            return self._file.take(index)
        if self.images.dtype not in _OF_NUMPY or self.images.device.type != "cpu":
            return self.images.index_select(0, index)
        # Torch's threads cost more than such a copy on a busy machine. NumPy's `take` copies all of a strided array.
        return torch.from_numpy(self.images.numpy()[index.numpy()])

    def chunk(self, start: int, stop: int) -> Shaped[Tensor, "B *shape"]:
        """The rows from `start` to `stop` − 1: a copy, or a view of images in memory."""
        stop = min(stop, len(self))
        return self.images[start:stop] if self._file is None else self._file.chunk(start, stop)


def as_float(images: UInt8[Tensor, "B C *size"] | Float[Tensor, "B C *size"]) -> Float[Tensor, "B C *size"]:
    """Images in float32: bytes / 255, from 0 … 255 to 0 … 1, and floating-point images as they are.

    Args:
        images: of a batch.
    """
    if images.dtype != torch.uint8:
        return images.float().contiguous()
    if images.device.type != "cpu":
        return images.float().div_(255)
    made = torch.empty(images.shape, dtype=torch.float32)
    # NumPy converts and divides blocks that stay in the cache; torch makes two passes over the memory.
    np.divide(images.numpy(), np.float32(255), out=made.numpy())
    return made
