"""Dataset: labeled images in memory, in three fixed splits."""

import abc
from typing import Literal

from jaxtyping import Int64, UInt8
from torch import Tensor

Split = Literal["train", "validation", "test"]


class Dataset(abc.ABC):
    """Labeled images in three splits that do not overlap and never change.

    Attributes:
        n_classes: number of classes; labels are 0 … n_classes − 1.
        image_shape: (C, *size) of every image.
    """

    n_classes: int
    image_shape: tuple[int, ...]

    @abc.abstractmethod
    def split(self, name: Split) -> tuple[UInt8[Tensor, "N C *size"], Int64[Tensor, "N"]]:
        """The images, 0 … 255, and the labels of a split.

        Args:
            name: train, validation or test.

        Raises:
            DataError: when the data is missing, incomplete or altered.
        """
