"""Two digits on one image, labeled by their sum."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

import stnkit


class Addition(stnkit.Dataset):
    """The paper's MNIST addition: images of two digits, one on each channel, labeled by their sum.

    In each split, every image of the source is the first digit of `pairs` images and the second digit of `pairs`
    others, in a fixed random order. Ten classes of digits give 19 sums, 0 to 18.

    Args:
        source: the dataset of the digits, a name or a mapping `{name: ..., option: ...}`.
        pairs: number of images whose first digit is the same image of the source, at least 1.

    Raises:
        InputError: when `pairs` is less than 1.

    Example:
        >>> import stnkit
        >>> addition = stnkit.build("dataset", "addition")
        >>> addition.image_shape, addition.n_classes
        ((2, 28, 28), 19)

    Source: Jaderberg et al. 2015, appendix A.1; the source there is MNIST.
    """

    default_distortion = "rts"

    def __init__(self, source: str | dict[str, Any] = "digits", pairs: int = 1) -> None:
        if pairs < 1:
            raise stnkit.errors.InputError(f"pairs: expected at least 1, got {pairs}")
        self.source: stnkit.Dataset = stnkit.build("dataset", source)
        self.pairs = pairs
        channels, *size = self.source.image_shape
        self.image_shape = (2 * channels, *size)
        self.n_classes = 2 * self.source.n_classes - 1

    def split(
        self, name: Literal["train", "validation", "test"]
    ) -> tuple[UInt8[Tensor, "N C *size"], Int64[Tensor, "N"]]:
        images, labels = self.source.split(name)
        generator = torch.Generator().manual_seed(0)
        orders = [torch.randperm(len(labels), generator=generator) for _ in range(self.pairs)]
        second = torch.cat(orders)
        return (
            torch.cat([images.repeat(self.pairs, *[1] * (images.ndim - 1)), images[second]], dim=1),
            labels.repeat(self.pairs) + labels[second],
        )


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("addition", Addition)
