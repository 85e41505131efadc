"""Gray patches of photographs as pairs of equal images, for homographies between them."""

import functools
import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Int64, UInt8
from PIL import Image
from torch import Tensor

import stnkit
from stnkit.errors import DataError, InputError

# Factor by which a patch is enlarged at most.
_LARGEST_SCALE = 1.5
# Share of the rows of a photograph that belong to train.
_TRAIN = 0.55
_LARGEST_NUMBER_OF_DRAWS = 50


class HomographyPairs(stnkit.Dataset):
    """Square gray patches of photographs, each twice, as moving and as fixed image: a distortion moves the fixed one.

    With `distortion=homography_pair`, which it suggests, the patches of 192×192 pixels become pairs of 128×128, as in
    the protocol of deep homography. The splits share no pixel: of every photograph the upper 55 % are train, of the
    rest the left half is validation and the right one test. Photographs take turns. The place of a patch, its side
    (from `size` / 1.5 to the smaller side of its region, uniform in its logarithm), one of four quarter turns and the
    mirror are drawn for each index of each split, once for all.

    Labels are the numbers of the photographs, and class names those of their files.

    Args:
        root: folder of photographs of any format that Pillow reads, also in folders below it; null for the two that
            come with scikit-learn, china.jpg and flower.jpg, of 640×427 pixels. Of more photographs than train has
            patches, the first ones in the order of their names are used.
        patches: number of patches of train, validation and test, each at least 1.
        size: side of a patch in pixels, at least 8.
        contrast: smallest standard deviation of the grays, 0 to 255, in each quarter of a patch: where sky or blur has
            nothing to be found again, another place is drawn, and after 50 of them the best is taken.

    Raises:
        InputError: when an option is out of its range.
        DataError: when the folder has no images, or one cannot be decoded or is too small.

    Example:
        >>> import stnkit
        >>> pairs = stnkit.build("dataset", "homography_pairs", patches=(8, 2, 4))
        >>> images, photographs = pairs.split("test")
        >>> images.shape, photographs, pairs.class_names
        (torch.Size([4, 2, 192, 192]), tensor([0, 1, 0, 1]), ('china.jpg', 'flower.jpg'))

    Source: DeTone, Malisiewicz, Rabinovich 2016, Deep Image Homography Estimation, section 3.
    """

    pair = True
    target_shape = ()
    default_distortion = "homography_pair"
    default_objective = "pose"

    def __init__(
        self,
        root: str | None = None,
        patches: tuple[int, int, int] = (1024, 128, 256),
        size: int = 192,
        contrast: float = 10.0,
    ) -> None:
        if min(patches) < 1:
            raise InputError(f"patches: expected three numbers of at least 1, got {list(patches)}")
        if size < 8:
            raise InputError(f"size: expected at least 8, got {size}")
        if not contrast >= 0:
            raise InputError(f"contrast: expected a number of at least 0, got {contrast}")
        files = _sample_photographs() if root is None else stnkit.reading.find_images(Path(root))
        self.files = files[: patches[0]]
        self.counts = dict(zip(stnkit.reading.SPLITS, patches, strict=True))
        self.image_shape = (2, size, size)
        self.contrast = contrast
        self.n_classes = len(self.files)
        self.class_names = tuple(file.name for file in self.files)

    def split(self, name: str) -> tuple[UInt8[Tensor, "N C H W"], Int64[Tensor, "N"]]:
        if name not in self.counts:
            raise InputError(f"expected a split of {', '.join(self.counts)}, got {name!r}")
        n, size = self.counts[name], self.image_shape[1]
        patches = np.empty((n, 1, size, size), np.uint8)
        # One photograph after the other, so that a folder need not fit into memory.
        for number, file in enumerate(self.files[:n]):
            region = self._region(name, file)
            for index in range(number, n, len(self.files)):
                draws = np.random.default_rng([stnkit.reading.SPLITS.index(name), index])
                patches[index, 0] = _patch(region, size, self.contrast, draws)
        # Both images of a pair share their memory.
        return torch.from_numpy(patches).expand(-1, 2, -1, -1), torch.arange(n) % len(self.files)

    def _region(self, name: str, file: Path) -> npt.NDArray[np.uint8]:
        """The part of a photograph that belongs to a split."""
        gray = stnkit.reading.read_image(file, stnkit.reading.Decoding(channels=1))[0]
        height, width = gray.shape
        side, floor, wall = self.image_shape[1], round(_TRAIN * height), width // 2
        least = math.ceil(side / _LARGEST_SCALE)
        if min(height - floor, wall) < least:
            raise DataError(
                f"{file}: expected a photograph of at least {2 * least}×{math.ceil(least / (1 - _TRAIN))} pixels for "
                f"dataset.size={side}, got {width}×{height}"
            )
        return {"train": gray[:floor], "validation": gray[floor:, :wall], "test": gray[floor:, wall:]}[name]


def _patch(
    region: npt.NDArray[np.uint8], size: int, contrast: float, draws: np.random.Generator
) -> npt.NDArray[np.uint8]:
    best, found = region, -1.0
    for _ in range(_LARGEST_NUMBER_OF_DRAWS):
        square = _square(region, size, draws)
        halves = np.array_split(square, 2)
        least = min(float(quarter.std()) for half in halves for quarter in np.array_split(half, 2, axis=1))
        if least > found:
            best, found = square, least
        if found >= contrast:
            break
    patch = Image.fromarray(best).resize((size, size), Image.Resampling.BILINEAR)  # antialiased where it shrinks
    turned = np.rot90(np.asarray(patch), int(draws.integers(4)))
    return turned[:, ::-1] if draws.integers(2) else turned


def _square(region: npt.NDArray[np.uint8], size: int, draws: np.random.Generator) -> npt.NDArray[np.uint8]:
    height, width = region.shape
    least, most = math.ceil(size / _LARGEST_SCALE), min(height, width)
    side = min(most, round(math.exp(draws.uniform(math.log(least), math.log(most)))))
    top, left = draws.integers(height - side + 1), draws.integers(width - side + 1)
    return region[top : top + side, left : left + side]


@functools.cache
def _sample_photographs() -> list[Path]:
    from sklearn.datasets import load_sample_images  # takes a second, and only this dataset needs it

    return sorted(Path(name) for name in load_sample_images().filenames)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("homography_pairs", HomographyPairs)
