"""Images and targets from files of NumPy or PyTorch."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

import stnkit
from stnkit.errors import DataError, InputError
from stnkit.reading import SPLITS, ArrayLayout

# In the name of a file: there is one for each split.
SPLIT = "SPLIT"
# In place of the name of a file of targets.
NONE = "none"


class Arrays(stnkit.Dataset):
    """Images and targets from `.npy` files, which are mapped, `.npz` archives, or `.pt` files of tensors.

    Images are uint8, or floating-point and finite, which training takes as they are. Targets have one entry for each
    image; whole numbers of shape (N,) are labels. An `.npz` archive, or a mapping in a `.pt` file, has both by the
    names `images` and `targets`. Pickled objects are refused.

    With SPLIT in the names of files there is one for each of train, validation and test. Otherwise a hash of the index
    of an image decides on its split, so that it stays there when others are appended; these images are copied into
    memory, and only files of one split are mapped.

    Args:
        root: folder of the files.
        images: file of images; with SPLIT in its name, one for each split, as in images_SPLIT.npy.
        targets: file of targets, likewise; null for those in the file of images, or, where that holds one array without
            a name, for the file with `targets` in place of `images` in its name; `none` for images without targets.
        split: shares of train, validation and test, above 0 and with sum 1; ignored for files of one split.
        layout: axes of the images: nhw, nchw, nhwc, and of volumes ndhw, ncdhw; or auto: 3 axes are nhw, 5 ncdhw, and 4
            are nhwc if the last has length 1, 3 or 4, of pairs 2, 4, 6 or 8, and the second has not, else nchw.
        n_classes: number of classes, at least 2; null for the largest label + 1, or 0 where targets are no labels or
            there are none.
        class_names: names of the classes by label; null for none.
        pair: true if images are pairs, the channels of the moving image and then those of the fixed one.

    Raises:
        InputError: when an option is out of its range.
        DataError: when a file is missing or cannot be read, or its arrays are not of that form.

    Example:
        >>> import numpy, stnkit, tempfile
        >>> root = tempfile.mkdtemp()
        >>> images, labels = numpy.zeros((100, 48, 64, 3), "uint8"), numpy.arange(100) % 3
        >>> numpy.savez(f"{root}/all.npz", images=images, targets=labels)
        >>> arrays = stnkit.build("dataset", "arrays", root=root, images="all.npz")
        >>> arrays.image_shape, arrays.n_classes, len(arrays.split("train")[1])
        ((3, 48, 64), 3, 74)
    """

    run_control_options = ("root",)

    def __init__(
        self,
        root: str = ".",
        images: str = "images.npy",
        targets: str | None = None,
        split: tuple[float, float, float] = (0.8, 0.1, 0.1),
        layout: ArrayLayout | str = ArrayLayout.auto,
        n_classes: int | None = None,
        class_names: list[str] | None = None,
        pair: bool = False,
    ) -> None:
        if n_classes is not None and n_classes < 2:
            raise InputError(f"n_classes: expected at least 2, or null, got {n_classes}")
        if layout not in [*ArrayLayout]:
            raise InputError(f"layout: expected one of {', '.join(ArrayLayout)}, got {layout!r}")
        if targets is None and not stnkit.reading.has_names(Path(root, images.replace(SPLIT, SPLITS[0])), "images"):
            targets = str(Path(images).with_name(Path(images).name.replace("images", "targets")))
            if targets == images:
                raise InputError(f"targets: expected a file, since {images} holds images alone, got null")
        if targets not in (None, NONE) and (SPLIT in images) != (SPLIT in targets):
            raise InputError(f"targets: expected {SPLIT} in both names or in none, got {images}, {targets}")
        self.root = Path(root)
        self.images, self.targets, self.pair = images, targets, pair
        self.shares, self.layout = stnkit.reading.checked_shares(split), ArrayLayout(layout)
        self._cached: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._one_for_each = SPLIT in images
        given = {name: self._read(name) for name in (SPLITS if self._one_for_each else SPLITS[:1])}
        self.image_shape: tuple[int, ...] = given["train"][0].shape[1:]
        for name, (array, _) in given.items():
            if array.shape[1:] != self.image_shape:
                raise DataError(
                    f"{self._path(images, name)}: expected images of shape {self.image_shape}, as those of train, "
                    f"got {array.shape[1:]}"
                )
        if pair and self.image_shape[0] % 2:
            raise DataError(
                f"{self._path(images, 'train')}: expected pairs, an even number of channels, got {self.image_shape[0]}"
            )
        shapes = {targets.shape[1:] for _, targets in given.values()}
        self.target_shape = shapes.pop() if len(shapes) == 1 else None
        labels = {self._path(self.targets or images, name): each for name, (_, each) in given.items() if len(each)}
        self.n_classes = _count_classes(labels, n_classes)
        self.class_names = None if class_names is None else tuple(class_names)

    def split(
        self, name: str
    ) -> tuple[UInt8[Tensor, "N C *size"] | Float[Tensor, "N C *size"], Shaped[Tensor, "N *target"]]:
        if name not in SPLITS:
            raise InputError(f"expected a split of {', '.join(SPLITS)}, got {name!r}")
        images, targets = self._read(name)
        path, targets_path = self._path(self.images, name), self._path(self.targets or self.images, name)
        if self._one_for_each:
            return _tensor(images, path), _tensor(targets, targets_path)
        rows = self._rows(name, len(images))
        if not len(rows):
            raise DataError(
                f"dataset.split: expected an image in each split, got none of the {len(images)} images of {path} in "
                f"{name}"
            )
        needed = f"a file for each split, as in images_{SPLIT}.npy"
        stnkit.reading.check_copy_fits(images[:1].nbytes * len(rows), needed, path)
        return _tensor(images[rows], path), _tensor(targets[rows], targets_path)

    def row_origin(self, name: str, part: Literal["images", "targets"], row: int) -> tuple[str, int]:
        file = self.images if part == "images" or self.targets is None else self.targets
        if not self._one_for_each:
            row = int(self._rows(name, len(self._read(name)[0]))[row])
        return str(self._path(file, name)), row

    def _rows(self, name: str, n: int) -> np.ndarray:
        return np.nonzero(stnkit.reading.splits_of_indices(n, self.shares) == SPLITS.index(name))[0]

    def _path(self, file: str, split: str) -> Path:
        return self.root / file.replace(SPLIT, split)

    def _targets(self, path: Path, n: int) -> np.ndarray:
        if self.targets == NONE:
            return np.empty((n, 0), np.float32)
        try:
            return stnkit.reading.read_array(path, "targets", alone=self.targets is not None)
        except DataError as error:
            if path.exists():
                raise
            raise DataError(f"{error}; dataset.targets={NONE} takes images without targets") from error

    def _read(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Images (N, C, *size) and targets of a split, or of all where they share a file."""
        key = split if self._one_for_each else "all"
        if key not in self._cached:
            path = self._path(self.images, split)
            images = stnkit.reading.read_array(path, "images", alone=self.targets is not None)
            targets_path = path if self.targets is None else self._path(self.targets, split)
            targets = self._targets(targets_path, len(images))
            if self._one_for_each and path.suffix != ".npz":  # mapped, and not copied
                stnkit.reading.check_row_order(images, path)
            images = stnkit.reading.channels_first(images, self.layout, path, pair=self.pair)
            if targets.ndim == 0 or len(targets) != len(images):
                raise DataError(
                    f"{targets_path}: expected {len(images)} targets, one for each image of {path}, "
                    f"got {len(targets) if targets.ndim else 'a single number'}"
                )
            if _are_labels(targets):
                _check_labels_fit(targets, targets_path)
            dtype = np.dtype(np.int64) if _are_labels(targets) else targets.dtype.newbyteorder("=")
            self._cached[key] = images, targets if targets.dtype == dtype else targets.astype(dtype)
        return self._cached[key]


def _are_labels(targets: np.ndarray) -> bool:
    return targets.ndim == 1 and targets.dtype.kind in "iu"


def _check_labels_fit(labels: np.ndarray, path: Path) -> None:
    """Refuse labels of 64 bits without a sign that have no place in 64 bits with one."""
    largest = np.iinfo(np.int64).max
    if labels.dtype.kind == "u" and len(labels) and labels.max() > largest:
        raise DataError(f"{path}: expected labels of at most {largest}, got {labels.max()} in row {labels.argmax()}")


def _count_classes(labels: dict[Path, np.ndarray], n_classes: int | None) -> int:
    """The number of classes, if it is given, or the largest label + 1; 0 for targets that are no labels."""
    if not labels or not all(_are_labels(each) for each in labels.values()):
        return n_classes or 0
    path, each = min(labels.items(), key=lambda item: int(item[1].min()))
    if each.min() < 0:
        raise DataError(f"{path}: expected labels from 0, got {each.min()} in row {each.argmin()}")
    path, each = max(labels.items(), key=lambda item: int(item[1].max()))
    largest, n = int(each.max()), sum(map(len, labels.values()))
    if n_classes is None and largest >= max(n, 2):
        raise DataError(
            f"dataset.n_classes: expected the number of classes, since there are more than the {n} images with label "
            f"{largest} in row {each.argmax()} of {path}, got null"
        )
    if n_classes is None and not largest:
        raise DataError(f"{path}: expected labels of at least two classes, got 0 alone")
    if n_classes is not None and largest >= n_classes:
        raise DataError(f"{path}: expected labels from 0 to {n_classes - 1}, got {largest} in row {each.argmax()}")
    return largest + 1 if n_classes is None else n_classes


def _tensor(array: np.ndarray, path: Path) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable.*")  # a mapped file is only read
        try:
            return torch.from_numpy(array)
        except TypeError as error:
            raise DataError(f"{path}: expected numbers, got {array.dtype.str}") from error


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("arrays", Arrays)
