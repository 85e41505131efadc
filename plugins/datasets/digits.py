"""scikit-learn's embedded handwritten digits."""

import functools
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Int64, UInt8
from torch import Tensor

import stnkit

_SPLITS = {"train": slice(0, 1197), "validation": slice(1197, 1397), "test": slice(1397, 1797)}


class Digits(stnkit.Dataset):
    """1,797 handwritten digits that come with scikit-learn, without a download.

    The 8×8 images are enlarged to 20×20 (bicubic) in the center of 28×28 black pixels, like MNIST's.
    1,197 train, 200 validation and 400 test images, by a fixed permutation.

    Example:
        >>> import stnkit
        >>> images, labels = stnkit.build("dataset", "digits").split("test")
        >>> images.shape, labels[:4]
        (torch.Size([400, 1, 28, 28]), tensor([5, 5, 6, 0]))

    Source: UCI optical recognition of handwritten digits, test part.
    """

    n_classes = 10
    image_shape = (1, 28, 28)
    default_distortion = "rts"

    def split(self, name: str) -> tuple[UInt8[Tensor, "N C *size"], Int64[Tensor, "N"]]:
        if name not in _SPLITS:
            raise stnkit.errors.InputError(f"expected a split of {', '.join(_SPLITS)}, got {name!r}")
        loaded = _loaded()
        order = torch.randperm(len(loaded.target), generator=torch.Generator().manual_seed(0))[_SPLITS[name]]
        small = torch.from_numpy(loaded.images).float()[order, None] * (255 / 16)
        large = F.interpolate(small, size=(20, 20), mode="bicubic", align_corners=False)
        images = F.pad(large.clamp(0, 255).round().to(torch.uint8), (4, 4, 4, 4))
        return images, torch.from_numpy(loaded.target).long()[order]


@functools.cache
def _loaded() -> Any:
    from sklearn.datasets import load_digits  # takes a second, and only this dataset needs it

    return load_digits()


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("digits", Digits)
