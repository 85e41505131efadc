"""Dataset: images with targets, in memory or mapped from a file, in three fixed splits."""

import abc
from typing import ClassVar, Literal

from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

from stnkit.contract import SHAPE, WHOLE_NUMBER, Contract, Requirement

Split = Literal["train", "validation", "test"]


class Dataset(Contract):
    """Images with targets in three splits that do not overlap and never change.

    Attributes:
        n_classes: number of classes; labels are 0 … n_classes − 1. 0 where targets are no labels.
        image_shape: (C, *size) of every image; of a pair, the channels of both images one after the other.
        target_shape: of the target of an image, () for a number; None where it is known only when a split is read.
        pair: True if an image is a pair, first the moving image, which a transformer warps, then the fixed one.
        class_names: names of the classes by label, for records and pictures; None where they have none.
        default_distortion: name of the distortion that a run has where nobody chooses one.
        default_objective: the same for the objective; None for classification.

    Example:
        >>> import torch, stnkit
        >>> class Squares(stnkit.Dataset):
        ...     n_classes, image_shape, class_names = 2, (1, 8, 8), ("black", "white")
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
    class_names: tuple[str, ...] | None = None
    target_shape: tuple[int, ...] | None = None
    pair: bool = False
    default_distortion: ClassVar[str] = "none"
    default_objective: ClassVar[str | None] = None

    @abc.abstractmethod
    def split(
        self, name: Split
    ) -> tuple[UInt8[Tensor, "N C *size"] | Float[Tensor, "N C *size"], Shaped[Tensor, "N *target"]]:
        """The images and the targets of a split.

        Images are uint8, 0 … 255, which training reads as 0 … 1, or floating-point, which it takes as they are: finite,
        and 0 for black where pictures and zero padding are to make sense. They may be mapped from a file: batches are
        read row by row, and nobody writes to them.

        Targets have one entry for each image, of any shape and dtype. Whole numbers of shape (N,) are labels: int64,
        0 … n_classes − 1.

        Args:
            name: train, validation or test.

        Raises:
            DataError: when the data is missing, incomplete or altered.
        """

    def row_origin(self, name: Split, part: Literal["images", "targets"], row: int) -> tuple[str, int]:
        """Optional hook: the origin of a row of a split, for messages; by default the call of `split`.

        Args:
            name: train, validation or test.
            part: images or targets.
            row: index in what `split` gives.

        Returns:
            The file, say, and the row in it; by default the call of `split`, and the same row.
        """
        return f"{type(self).__name__}.split({name!r})", row
