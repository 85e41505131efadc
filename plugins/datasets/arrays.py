"""Images and targets from files of NumPy or PyTorch."""

import math
import os
import pickle
import warnings
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from torch import Tensor

import stnkit
from stnkit.errors import DataError, InputError

SPLITS, SPLIT = ("train", "validation", "test"), "SPLIT"  # the latter in the name of a file: one for each split
PIXELS, CHANNELS = ("uint8", "float16", "float32", "float64"), (1, 3, 4)  # the latter: lengths of an axis of channels


class Layout(StrEnum):
    """The axes of an array of images, a letter for each."""

    auto = "auto"
    nhw = "nhw"
    nchw = "nchw"
    nhwc = "nhwc"
    ncdhw = "ncdhw"


class Arrays(stnkit.Dataset):
    """Images and targets from `.npy` files, which are mapped, `.npz` archives, or `.pt` files of tensors.

    Images are uint8, or floating-point and finite, which training takes as they are. Targets have one entry for each
    image; whole numbers of shape (N,) are labels. An `.npz` archive, or a mapping in a `.pt` file, has them by the
    names `images` and `targets`. Pickled objects are refused.

    With SPLIT in the names of files there is one for each of train, validation and test. Otherwise a hash of the index
    of an image decides on its split, so that it stays there when others are appended; these images are copied into
    memory, and only files of one split are mapped.

    Args:
        root: folder of the files.
        images: file of images; with SPLIT in its name, one for each split, as in images_SPLIT.npy.
        targets: file of targets, likewise; null for those in the file of images, or, of a .npy file, for the file with
            `targets` in place of `images` in its name.
        split: shares of train, validation and test, above 0 and with sum 1; ignored for files of one split.
        layout: axes of the images: nhw, nchw, nhwc, ncdhw; or auto: 3 axes are nhw, 5 ncdhw, and 4 are nhwc if the last
            has length 1, 3 or 4 and the second has not, else nchw.
        n_classes: number of classes, at least 2; null for the largest label + 1, or 0 where targets are no labels.
        class_names: names of the classes by label; null for none.

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
        layout: Layout | str = Layout.auto,
        n_classes: int | None = None,
        class_names: list[str] | None = None,
    ) -> None:
        if not all(0 < share < 1 for share in split) or not math.isclose(sum(split), 1, abs_tol=1e-6):
            raise InputError(f"split: expected three shares above 0 with sum 1, got {list(split)}")
        if n_classes is not None and n_classes < 2:
            raise InputError(f"n_classes: expected at least 2, or null, got {n_classes}")
        if layout not in [*Layout]:
            raise InputError(f"layout: expected one of {', '.join(Layout)}, got {layout!r}")
        if targets is None and Path(images).suffix == ".npy":
            targets = str(Path(images).with_name(Path(images).name.replace("images", "targets")))
            if targets == images:
                raise InputError(f"targets: expected a file, since {images} holds images alone, got null")
        if targets is not None and (SPLIT in images) != (SPLIT in targets):
            raise InputError(f"targets: expected {SPLIT} in both names or in none, got {images}, {targets}")
        self.root = Path(root)
        self.images, self.targets = images, targets
        self.shares, self.layout = split, Layout(layout)
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
        _check_memory(images[:1].nbytes * len(rows), f"a file for each split, as in images_{SPLIT}.npy", path)
        return _tensor(images[rows], path), _tensor(targets[rows], targets_path)

    def row_origin(self, name: str, part: Literal["images", "targets"], row: int) -> tuple[str, int]:
        file = self.images if part == "images" or self.targets is None else self.targets
        if not self._one_for_each:
            row = int(self._rows(name, len(self._read(name)[0]))[row])
        return str(self._path(file, name)), row

    def _rows(self, name: str, n: int) -> np.ndarray:
        return np.nonzero(split_of(n, self.shares) == SPLITS.index(name))[0]

    def _path(self, file: str, split: str) -> Path:
        return self.root / file.replace(SPLIT, split)

    def _read(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Images (N, C, *size) and targets of a split, or of all where they share a file."""
        key = split if self._one_for_each else "all"
        if key not in self._cached:
            path = self._path(self.images, split)
            images = _array(path, "images", alone=self.targets is not None)
            targets_path = path if self.targets is None else self._path(self.targets, split)
            targets = _array(targets_path, "targets", alone=self.targets is not None)
            # A mapped row that is scattered over the file touches all of its pages, and is read by page faults.
            if self._one_for_each and path.suffix != ".npz" and len(images) > 1 and images.ndim > 1:
                _check_order(images, path)
            images = _channels_first(images, self.layout, path)
            if targets.ndim == 0 or len(targets) != len(images):
                raise DataError(
                    f"{targets_path}: expected {len(images)} targets, one for each image of {path}, "
                    f"got {len(targets) if targets.ndim else 'a single number'}"
                )
            dtype = np.dtype(np.int64) if _are_labels(targets) else targets.dtype.newbyteorder("=")
            self._cached[key] = images, targets if targets.dtype == dtype else targets.astype(dtype)
        return self._cached[key]


def split_of(n: int, shares: tuple[float, float, float]) -> np.ndarray:
    """The split of each of n images, 0 to 2: its index, hashed by SplitMix64 to [0, 1), among the summed shares.

    Args:
        n: number of images.
        shares: of the splits.
    """
    with np.errstate(over="ignore"):
        state = (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    uniform = (state >> np.uint64(11)).astype(np.float64) / 2.0**53
    return np.searchsorted(np.cumsum(shares[:2]), uniform, side="right")


def _array(path: Path, name: str, *, alone: bool) -> np.ndarray:
    """The array of a file: that of this name, or the only one where images and targets have a file each (`alone`)."""
    if not path.is_file():
        raise DataError(f"dataset.{name}: expected a file, got {path}, which does not exist")
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of PyTorch about quantized tensors
            content = _content(path)
    except pickle.UnpicklingError as error:
        raise DataError(f"{path}: expected tensors, got other objects, which are refused") from error
    except DataError:
        raise
    except Exception as error:  # a damaged file may raise anything, zlib.error and MemoryError among them
        reason = "objects are refused" if "bject" in str(error) else " ".join(str(error).split())
        raise DataError(f"{path}: expected an array of numbers, and it cannot be read: {reason}") from error
    if not isinstance(content, dict):
        return content
    if alone and len(content) == 1:
        return next(iter(content.values()))
    if name not in content:
        raise DataError(f"{path}: expected an array {name!r}, got {', '.join(map(repr, content)) or 'none'}")
    return content[name]


def _content(path: Path) -> Any:
    """The array of a file, or its arrays by name."""
    if path.suffix in (".npy", ".npz"):
        with path.open("rb") as file:  # NumPy would leave a damaged archive open
            if file.read(2) == (b"PK" if path.suffix == ".npy" else b"\x93N"):
                raise ValueError(f"its name ends in {path.suffix}, and its content is of the other format of NumPy")
            if path.suffix == ".npz" and file.seek(0) == 0:
                return dict(np.load(file, allow_pickle=False))
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    if path.suffix == ".pt":
        content = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
        tensors = content if isinstance(content, dict) else {"tensor": content}
        if not all(isinstance(value, Tensor) for value in tensors.values()):
            raise ValueError(f"got {', '.join(type(value).__name__ for value in tensors.values())} beside tensors")
        arrays = {name: _of_tensor(value.detach(), path) for name, value in tensors.items()}
        return arrays if isinstance(content, dict) else arrays["tensor"]
    raise ValueError(f"its name ends in {path.suffix or 'nothing'}, not in .npy, .npz or .pt")


def _of_tensor(tensor: Tensor, path: Path) -> np.ndarray:
    """An array of a tensor; bfloat16 and others that NumPy has not are converted to float32."""
    if tensor.is_floating_point() and str(tensor.dtype).removeprefix("torch.") not in PIXELS:
        _check_memory(4 * tensor.numel(), "float16 or float32", path)
        tensor = tensor.float()
    return tensor.numpy()


def _check_order(images: np.ndarray, path: Path) -> None:
    """Refuse images of which a row is not in one piece."""
    if images.strides[0] < images[:1].nbytes:
        saves = {".npy": "Fortran order: numpy.save(path, numpy.ascontiguousarray(images))"}
        got = saves.get(path.suffix, "another: torch.save(images.contiguous(), path)")
        raise DataError(f"{path}: expected images in C order, one after another, got {got}")


def _channels_first(images: np.ndarray, layout: Layout, path: Path) -> np.ndarray:
    """A view of images as (N, C, *size)."""
    if images.dtype not in PIXELS:
        raise DataError(f"{path}: expected images in {', '.join(PIXELS)}, got {images.dtype.str}")
    if layout is Layout.auto:
        last = images.ndim == 4 and images.shape[-1] in CHANNELS and images.shape[1] not in CHANNELS
        layout = {3: Layout.nhw, 4: Layout.nhwc if last else Layout.nchw, 5: Layout.ncdhw}.get(images.ndim, layout)
    if images.ndim != len(layout) or 0 in images.shape[1:]:
        axes = "3 to 5" if layout is Layout.auto else len(layout)
        raise DataError(f"{path}: expected images of {axes} axes with pixels, got shape {images.shape}")
    if layout is Layout.nhw:
        return images[:, None]
    return np.moveaxis(images, -1, 1) if layout is Layout.nhwc else images


def _check_memory(n_bytes: int, expected: str, path: Path) -> None:
    """Refuse a copy that takes more than half of the memory of this machine."""
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        if n_bytes > memory / 2:
            raise DataError(
                f"dataset.images: expected {expected}, which is mapped, got {path}, of which a copy takes "
                f"{n_bytes / 2**30:.3g} of {memory / 2**30:.3g} GiB of memory"
            )


def _are_labels(targets: np.ndarray) -> bool:
    return targets.ndim == 1 and targets.dtype.kind in "iu"


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
