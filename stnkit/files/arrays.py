"""Array files: images and targets from `.npy`, `.npz` and `.pt`, mapped where the format allows it."""

import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stnkit.errors import DataError
from stnkit.machine_memory import machine_memory

# What NumPy says of an array of objects in an archive, and of one that it would map.
_OBJECTS = ("Object arrays cannot be loaded", "Python objects in dtype")
_ARRAY, _ARCHIVE = b"\x93NUMPY", b"PK"
_PIXELS = ("uint8", "float16", "float32", "float64")
# Lengths of an axis that are taken for the number of channels.
_CHANNELS, _CHANNELS_OF_PAIRS = (1, 3, 4), (2, 4, 6, 8)


class ArrayLayout(StrEnum):
    """The axes of an array of images, a letter for each."""

    auto = "auto"
    nhw = "nhw"
    nchw = "nchw"
    nhwc = "nhwc"
    ndhw = "ndhw"
    ncdhw = "ncdhw"


def read_array(path: Path, name: str, *, alone: bool) -> np.ndarray:
    """An array of a file.

    Args:
        path: of the file.
        name: of the array in an archive or a mapping; and of the option, in messages.
        alone: take the only array of a file whatever its name is, or one that has none.

    Raises:
        DataError: when the file is missing, damaged, or holds something else.
    """
    with _explained(path, name):
        content = _content(path)
    if not isinstance(content, dict):
        if not alone:
            raise DataError(f"{path}: expected an array {name!r}, got one without a name")
        return content
    if alone and len(content) == 1:
        return next(iter(content.values()))
    if name not in content:
        raise DataError(f"{path}: expected an array {name!r}, got {', '.join(map(repr, content)) or 'none'}")
    return content[name]


def has_names(path: Path, name: str) -> bool:
    """True for a file whose arrays have names: an archive, or a mapping of tensors.

    Args:
        path: of the file.
        name: of the option, in messages.

    Raises:
        DataError: when the file is missing, damaged, or of another format.
    """
    with _explained(path, name):
        _check_suffix(path)
        return path.suffix == ".npz" or (path.suffix == ".pt" and isinstance(_loaded(path), dict))


@contextmanager
def _explained(path: Path, name: str) -> Iterator[None]:
    """A file that is missing or cannot be read as a DataError of one sentence."""
    if not path.is_file():
        raise DataError(f"dataset.{name}: expected a file, got {path}, which does not exist")
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # of PyTorch about quantized tensors
            yield
    except pickle.UnpicklingError as error:
        raise DataError(f"{path}: expected tensors, got other objects, which are refused") from error
    except DataError:
        raise
    except Exception as error:  # a damaged file may raise anything, zlib.error and MemoryError among them
        told = " ".join(str(error).split()) or type(error).__name__
        reason = "objects are refused" if any(sign in told for sign in _OBJECTS) else told
        raise DataError(f"{path}: expected an array of numbers, and it cannot be read: {reason}") from error


def check_row_order(images: np.ndarray, path: Path) -> None:
    """Refuse images of which a row is not in one piece.

    A mapped row that is scattered over the file touches all of its pages, and is read by page faults.

    Args:
        images: of a file that is mapped.
        path: of the file.

    Raises:
        DataError: for such an order.
    """
    if len(images) > 1 and images.ndim > 1 and images.strides[0] < images[:1].nbytes:
        got = "another: torch.save(images.contiguous(), path)"
        if path.suffix == ".npy":
            got = "Fortran order: numpy.save(path, numpy.ascontiguousarray(images))"
        raise DataError(f"{path}: expected images in C order, one after another, got {got}")


def channels_first(images: np.ndarray, layout: ArrayLayout, path: Path, *, pair: bool = False) -> np.ndarray:
    """A view of images as (N, C, *size).

    Args:
        images: of a file.
        layout: of their axes; auto: 3 axes are nhw, 5 ncdhw, and 4 are nhwc if the last has length 1, 3 or 4 and the
            second has not, else nchw.
        path: of the file.
        pair: True if each is a pair of images, with 2, 4, 6 or 8 channels.

    Raises:
        DataError: when the numbers are no pixels, or the axes are others.
    """
    if images.dtype not in _PIXELS:
        raise DataError(f"{path}: expected images in {', '.join(_PIXELS)}, got {images.dtype.str}")
    if layout is ArrayLayout.auto:
        channels = _CHANNELS_OF_PAIRS if pair else _CHANNELS
        last = images.ndim == 4 and images.shape[-1] in channels and images.shape[1] not in channels
        found = {3: ArrayLayout.nhw, 4: ArrayLayout.nhwc if last else ArrayLayout.nchw, 5: ArrayLayout.ncdhw}
        layout = found.get(images.ndim, layout)
    if images.ndim != len(layout) or 0 in images.shape[1:]:
        axes = "3 to 5" if layout is ArrayLayout.auto else len(layout)
        raise DataError(f"{path}: expected images of {axes} axes with pixels, got shape {images.shape}")
    if layout in (ArrayLayout.nhw, ArrayLayout.ndhw):
        return images[:, None]
    return np.moveaxis(images, -1, 1) if layout is ArrayLayout.nhwc else images


def check_copy_fits(n_bytes: int, expected: str, path: Path) -> None:
    """Refuse a copy that takes more than half of the memory of this machine.

    Args:
        n_bytes: of the copy.
        expected: a form of the file that needs no copy.
        path: of the file.

    Raises:
        DataError: when it does not fit.
    """
    memory = machine_memory()
    if memory is not None and n_bytes > memory / 2:
        raise DataError(
            f"dataset.images: expected {expected}, which is mapped, got {path}, of which a copy takes "
            f"{n_bytes / 2**30:.3g} of {memory / 2**30:.3g} GiB of memory"
        )


def _check_suffix(path: Path) -> None:
    if path.suffix not in (".npy", ".npz", ".pt"):
        raise ValueError(f"its name ends in {path.suffix or 'nothing'}, not in .npy, .npz or .pt")


def _content(path: Path) -> Any:
    """The array of a file, or its arrays by name."""
    _check_suffix(path)
    if path.suffix == ".pt":
        return _of_tensors(path)
    with path.open("rb") as file:
        start = file.read(len(_ARRAY))
    expected, other = (_ARRAY, _ARCHIVE) if path.suffix == ".npy" else (_ARCHIVE, _ARRAY)
    if start.startswith(other):
        raise ValueError(f"its name ends in {path.suffix}, and its content is of the other format of NumPy")
    if not start.startswith(expected):
        raise ValueError("it does not begin as a file of NumPy")
    if path.suffix == ".npy":
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    with path.open("rb") as file:  # NumPy leaves a damaged archive open that it has opened itself
        return dict(np.load(file, allow_pickle=False))


def _loaded(path: Path) -> Any:
    return torch.load(path, map_location="cpu", mmap=True, weights_only=True)


def _of_tensors(path: Path) -> Any:
    content = _loaded(path)
    tensors = content if isinstance(content, dict) else {"": content}
    if others := sorted({type(value).__name__ for value in tensors.values() if not isinstance(value, Tensor)}):
        raise ValueError(f"got {', '.join(others)} beside tensors")
    arrays = {name: _of_tensor(value.detach(), path) for name, value in tensors.items()}
    return arrays if isinstance(content, dict) else arrays[""]


def _of_tensor(tensor: Tensor, path: Path) -> np.ndarray:
    """An array of a tensor; bfloat16 and others that NumPy has not are converted to float32."""
    if tensor.is_floating_point() and str(tensor.dtype).removeprefix("torch.") not in _PIXELS:
        check_copy_fits(4 * tensor.numel(), "float16 or float32", path)
        tensor = tensor.float()
    return tensor.numpy()
