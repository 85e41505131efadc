"""MNIST, from its four IDX files."""

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

import stnkit

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
# MD5 of the unpacked file, MD5 of the gzip'd file at the mirror.
CHECKSUMS = {
    "train-images-idx3-ubyte": ("6bbc9ace898e44ae57da46a324031adb", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
    "train-labels-idx1-ubyte": ("a25bea736e30d166cdddb491f175f624", "d53e105ee54ea40749a09fcbcd1e9432"),
    "t10k-images-idx3-ubyte": ("2646ac647ad5339dbf082846283269ea", "9fb629c4189551a2d022fa330f9573f3"),
    "t10k-labels-idx1-ubyte": ("27ae3e4e09519cfbb04c329615203637", "ec29112dd5afa0611ce80d1b7f02629c"),
}


class MNIST(stnkit.Dataset):
    """70,000 handwritten digits of 28×28 pixels: 55,000 train, 5,000 validation, 10,000 test.

    Reads the four IDX files, plain or gzip'd, and verifies their checksums.

    Args:
        root: folder of the four files.
        download: fetch files that are missing from `root`.
        n_validation: number of validation images: the last ones of the 60,000 training images.

    Raises:
        InputError: when `n_validation` is not between 1 and 59,999.

    Example:
        >>> import stnkit
        >>> mnist = stnkit.build("dataset", "mnist", root="data/mnist")  # read by `split`
        >>> mnist.image_shape, mnist.n_classes
        ((1, 28, 28), 10)

    Source: LeCun, Cortes, Burges, The MNIST database of handwritten digits.
    """

    n_classes = 10
    image_shape = (1, 28, 28)
    default_distortion = "rts"
    run_control_options = ("root", "download")

    def __init__(self, root: str = "data/mnist", download: bool = False, n_validation: int = 5000) -> None:
        if not 1 <= n_validation < 60_000:
            raise stnkit.errors.InputError(f"n_validation: expected 1 to 59999, got {n_validation}")
        self.root = Path(root)
        self.download = download
        self.n_validation = n_validation
        # Train and validation come from the same files, which are unpacked and verified once.
        self._cached: dict[str, tuple[Tensor, Tensor]] = {}

    def split(self, name: str) -> tuple[UInt8[Tensor, "N C *size"], Int64[Tensor, "N"]]:
        if name == "test":
            return self._read("t10k", 10_000)
        if name not in ("train", "validation"):
            raise stnkit.errors.InputError(f"expected a split of train, validation, test, got {name!r}")
        images, labels = self._read("train", 60_000)
        rows = slice(None, -self.n_validation) if name == "train" else slice(-self.n_validation, None)
        return images[rows], labels[rows]

    def _read(self, prefix: str, n: int) -> tuple[Tensor, Tensor]:
        if prefix not in self._cached:
            # Skip headers of 16 and 8 bytes: the checksum covers them.
            images = _bytes(self._verified(f"{prefix}-images-idx3-ubyte"))[16:].view(n, 1, 28, 28)
            labels = _bytes(self._verified(f"{prefix}-labels-idx1-ubyte"))[8:].long()
            self._cached[prefix] = (images, labels)
        return self._cached[prefix]

    def _verified(self, name: str) -> bytes:
        path = self._locate(name)
        try:
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        except (OSError, EOFError, zlib.error) as error:
            raise stnkit.errors.DataError(f"{path} cannot be read ({error}): fetch it again") from error
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if md5 != CHECKSUMS[name][0]:
            raise stnkit.errors.DataError(
                f"{path} is altered or cut short: expected an MD5 of {CHECKSUMS[name][0]} for its content, got {md5}; "
                f"fetch it again"
            )
        return content

    def _locate(self, name: str) -> Path:
        for path in (self.root / name, self.root / f"{name}.gz"):
            if path.is_file():
                return path
        if self.download:
            return self._fetch(name)
        problem = f"{name}.gz is missing" if self.root.is_dir() else "that folder does not exist"
        raise stnkit.errors.DataError(
            f"no MNIST in dataset.root={self.root}: {problem}; put the four IDX files there, "
            f"or let them be fetched from {MIRROR} with dataset.download=true"
        )

    def _fetch(self, name: str) -> Path:
        import pooch  # only a download needs it

        url = f"{MIRROR}{name}.gz"
        try:
            fetched = pooch.retrieve(url, known_hash=f"md5:{CHECKSUMS[name][1]}", fname=f"{name}.gz", path=self.root)
        except (OSError, ValueError) as error:
            raise stnkit.errors.DataError(f"{url} could not be fetched into {self.root}: {error}") from error
        return Path(fetched)


def _bytes(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("mnist", MNIST)
