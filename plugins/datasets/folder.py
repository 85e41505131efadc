"""Images in a folder for each class."""

from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Shaped, UInt8
from torch import Tensor

import stnkit


class Folder(stnkit.Dataset):
    """Images of any format that Pillow reads, in a folder for each class, packed once and then mapped into memory.

    `root` has `train`, `validation` (or `val`) and `test`, each with class folders; or, with `split`, class folders
    alone. Folders inside of a class folder belong to it. The classes are those of `train`, in the order of their
    names. An image is turned upright as its EXIF says, and of several frames the first one is read. 16-bit images and
    32-bit integers are scaled from 0 … 65,535, floating-point images from 0 … 1; others of these are refused.

    The images are decoded once, into one file of the cache folder. It is found again as long as names, sizes and times
    of the files and the options below are the same, wherever `root` is.

    Args:
        root: folder of the images.
        split: fractions of train, validation and test, such as [0.8, 0.1, 0.1], for one tree of class folders; a hash
            of its relative name decides on each file; null for a folder for each split.
        channels: 3 for RGB, 1 for gray.
        size: [H, W] of each image, 1 to 65,535; null if all files have the same.
        fit: the way to that size, antialiased: `stretch` both axes, `crop` the middle, or `pad` with the background.
        background: behind transparent pixels and beside padded images: a gray from 0 (black) to 255, or [R, G, B].
        skip_broken: leave out files that cannot be decoded, and say how many.
        cache: folder of the packed images; null for $STNKIT_CACHE or the user's cache folder.
        workers: number of processes that decode, at least 1; null for one on each core.
        pack: False to read images only if they are packed.
        labels: False for images without classes: all that are in `root`, or in the folders of the splits, and below.

    Raises:
        InputError: when an option is out of its range.
        DataError: when `root` has no such folders, fewer than two classes, or a class that is not in train.

    Example:
        >>> import pathlib, tempfile, stnkit
        >>> from PIL import Image
        >>> root, cache = pathlib.Path(tempfile.mkdtemp()), tempfile.mkdtemp()
        >>> for split in ("train", "validation", "test"):
        ...     for name in ("black", "white"):
        ...         (root / split / name).mkdir(parents=True)
        ...         Image.new("RGB", (64, 48), name).save(root / split / name / "0.png")
        >>> folder = stnkit.build("dataset", "folder", root=str(root), cache=cache)
        >>> folder.class_names, folder.image_shape
        (('black', 'white'), (3, 48, 64))
        >>> images, labels = folder.split("train")  # packed at the first call
        >>> images.shape, images.amax((1, 2, 3)), labels
        (torch.Size([2, 3, 48, 64]), tensor([  0, 255], dtype=torch.uint8), tensor([0, 1]))
    """

    run_control_options = ("root", "cache", "workers", "pack")

    def __init__(
        self,
        root: str = "data/images",
        split: list[float] | None = None,
        channels: int = 3,
        size: list[int] | None = None,
        fit: stnkit.reading.Fit = stnkit.reading.Fit.stretch,
        background: int | list[int] = 0,
        skip_broken: bool = False,
        cache: str | None = None,
        workers: int | None = None,
        pack: bool = True,
        labels: bool = True,
    ) -> None:
        self.images = stnkit.reading.ImageFolder(
            stnkit.reading.find_layout(Path(root), split, labels=labels),
            stnkit.reading.Decoding.of_options(channels, size, fit, background),
            stnkit.reading.cache_folder(cache),
            skip_broken=skip_broken,
            n_processes=workers,
            may_pack=pack,
        )
        self.image_shape = self.images.image_shape
        self.class_names = self.images.layout.classes if labels else None
        self.n_classes = len(self.images.layout.classes) if labels else 0
        if not labels:
            self.target_shape = (0,)

    def split(self, name: str) -> tuple[UInt8[Tensor, "N C H W"], Shaped[Tensor, "N *target"]]:
        images, labels = self.images.split(name)
        return images, labels if self.n_classes else torch.empty(len(images), 0)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("folder", Folder)
