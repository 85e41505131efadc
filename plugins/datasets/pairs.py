"""Pairs of an image with itself, for a distortion to come between."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

import stnkit


class Pairs(stnkit.Dataset):
    """Each image of another dataset twice, as the moving and the fixed image of a pair; `distortion=pair` moves one.

    The pairs have the targets and the splits of the source. Those of images of one channel are a view of them, mapped
    if they are; of more channels a split is copied into memory.

    Args:
        source: the dataset of the images, a name or a mapping `{name: ..., option: ...}`.

    Raises:
        InputError: when the source has pairs already.

    Example:
        >>> import stnkit
        >>> pairs = stnkit.build("dataset", "pairs")
        >>> images, _ = pairs.split("test")
        >>> pairs.image_shape, bool((images[:, 0] == images[:, 1]).all())
        ((2, 28, 28), True)
    """

    pair = True
    default_distortion = "pair"
    default_objective = "registration"

    def __init__(self, source: str | dict[str, Any] = "digits") -> None:
        self.source: stnkit.Dataset = stnkit.build("dataset", source)
        if self.source.pair:
            raise stnkit.errors.InputError(f"dataset.source: expected single images, got {source}, which has pairs")
        channels, *size = self.source.image_shape
        self.image_shape = (2 * channels, *size)
        self.n_classes, self.class_names = self.source.n_classes, self.source.class_names
        self.target_shape = self.source.target_shape

    def split(
        self, name: Literal["train", "validation", "test"]
    ) -> tuple[UInt8[Tensor, "N C *size"] | Float[Tensor, "N C *size"], Shaped[Tensor, "N *target"]]:
        images, targets = self.source.split(name)
        if images.shape[1] > 1:
            needed, n_bytes = "pairs in a file, with dataset=arrays", 2 * images.numel() * images.element_size()
            stnkit.reading.check_copy_fits(n_bytes, needed, Path(self.source.row_origin(name, "images", 0)[0]))
        twice = images[:, None].expand(-1, 2, *[-1] * (images.ndim - 1))
        return twice.reshape(len(images), -1, *images.shape[2:]), targets

    def row_origin(
        self, name: Literal["train", "validation", "test"], part: Literal["images", "targets"], row: int
    ) -> tuple[str, int]:
        return self.source.row_origin(name, part, row)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("pairs", Pairs)
