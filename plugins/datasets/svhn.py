"""Street View House Numbers, from its files of cropped digits."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

import stnkit
from stnkit.errors import DataError, InputError

SITE = "http://ufldl.stanford.edu/housenumbers/"


class SVHN(stnkit.Dataset):
    """Digits of house numbers in photographs, each in the middle of 32×32 pixels, often with others beside it.

    Reads `train_32x32.mat` (73,257 images), `test_32x32.mat` (26,032) and, with `extra`, `extra_32x32.mat` (531,131).
    Each has X, uint8 (32, 32, 3, N), and y, (N, 1) with labels 1 … 10, where 10 stands for the digit 0.

    Args:
        root: folder of the files.
        extra: True for the images of `extra_32x32.mat`, behind the others of the training split; they take 1.6 GB.
        n_validation: number of validation images, at least 1: the last ones of `train_32x32.mat`.

    Raises:
        InputError: when `n_validation` is less than 1.

    Example:
        >>> import stnkit
        >>> svhn = stnkit.build("dataset", "svhn", root="data/svhn")  # read by `split`
        >>> svhn.image_shape, svhn.n_classes
        ((3, 32, 32), 10)

    Source: Netzer et al., Reading digits in natural images with unsupervised feature learning, NIPS workshop 2011.
    """

    n_classes = 10
    image_shape = (3, 32, 32)
    target_shape = ()
    run_control_options = ("root",)

    def __init__(self, root: str = "data/svhn", extra: bool = False, n_validation: int = 5000) -> None:
        if n_validation < 1:
            raise InputError(f"n_validation: expected at least 1, got {n_validation}")
        self.root = Path(root)
        self.extra = extra
        self.n_validation = n_validation
        # Train and validation come from the same file, which is unpacked once.
        self._cached: tuple[Tensor, Tensor] | None = None

    def split(self, name: str) -> tuple[UInt8[Tensor, "N C *size"], Int64[Tensor, "N"]]:
        if name == "test":
            return self._read("test")
        if name not in ("train", "validation"):
            raise InputError(f"expected a split of train, validation, test, got {name!r}")
        if self._cached is None:
            self._cached = self._read("train")
        images, labels = self._cached
        if self.n_validation >= len(images):
            raise DataError(
                f"dataset.n_validation: expected less than the {len(images)} images of "
                f"{self.root / 'train_32x32.mat'}, got {self.n_validation}"
            )
        if name == "validation":
            return images[-self.n_validation :], labels[-self.n_validation :]
        images, labels = images[: -self.n_validation], labels[: -self.n_validation]
        if self.extra:
            more_images, more_labels = self._read("extra")
            images, labels = torch.cat([images, more_images]), torch.cat([labels, more_labels])
        return images, labels

    def _read(self, name: str) -> tuple[Tensor, Tensor]:
        from scipy.io import loadmat  # takes a moment, and only this dataset needs it

        path = self.root / f"{name}_32x32.mat"
        if not path.is_file():
            problem = f"{path.name} is missing" if self.root.is_dir() else "that folder does not exist"
            raise DataError(f"no SVHN in dataset.root={self.root}: {problem}; {SITE} has the files of cropped digits")
        try:
            content = loadmat(path, variable_names=("X", "y"))
        # A damaged file raises what its bytes lead to: SciPy's own errors, zlib's, IndexError, TypeError and others.
        except Exception as e:
            raise DataError(f"{path}: expected a .mat file (MATLAB 5), got one that cannot be read ({e})") from e
        images, labels = content.get("X"), content.get("y")
        shapes = [None if each is None else (each.dtype.str, each.shape) for each in (images, labels)]
        if images is None or labels is None or not _are_digits(images, labels):
            raise DataError(
                f"{path}: expected X, uint8 (32, 32, 3, N), and y, (N, 1) with labels 1 … 10, got {shapes[0]} and "
                f"{shapes[1]}"
            )
        # (H, W, C, N) in MATLAB's order of columns: one copy makes it (N, C, H, W).
        pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(3, 2, 0, 1)))
        return pixels, torch.from_numpy(labels[:, 0].astype(np.int64)) % 10


def _are_digits(images: np.ndarray, labels: np.ndarray) -> bool:
    return (
        images.dtype == np.uint8
        and images.ndim == 4
        and images.shape[:3] == (32, 32, 3)
        and labels.dtype.kind in "iuf"
        and labels.shape == (images.shape[3], 1)
        and labels.size > 0
        and bool(np.isin(labels, np.arange(1, 11)).all())
    )


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("svhn", SVHN)
