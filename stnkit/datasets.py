"""Dataset: labeled images in memory, in three fixed splits."""

import abc
from typing import ClassVar, Literal

from jaxtyping import Int64, UInt8
from torch import Tensor

from stnkit.contract import SHAPE, WHOLE_NUMBER, Contract, Requirement

Split = Literal["train", "validation", "test"]


class Dataset(Contract):
    """Labeled images in three splits that do not overlap and never change.

    Attributes:
        n_classes: number of classes; labels are 0 … n_classes − 1.
        image_shape: (C, *size) of every image.

    Example:
        >>> import torch, stnkit
        >>> class Squares(stnkit.Dataset):
        ...     n_classes, image_shape = 2, (1, 8, 8)
        ...     def split(self, name):
        ...         labels = torch.arange(10) % 2
        ...         return (255 * labels).to(torch.uint8).view(-1, 1, 1, 1).repeat(1, 1, 8, 8), labels
        >>> images, labels = Squares().split("train")
        >>> tuple(images.shape)
        (10, 1, 8, 8)
    """

    abstract_attributes: ClassVar[dict[str, Requirement]] = {"n_classes": WHOLE_NUMBER, "image_shape": SHAPE}

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
