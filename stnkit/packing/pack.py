"""Pack: decoded images in one file, mapped into memory and shared by all processes that read it."""

import mmap
import os
import platform
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stnkit.errors import DataError
from stnkit.packing.index import IMAGES, Index
from stnkit.shares import SPLITS

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Pack:
    """Packed images.

    Args:
        folder: of the pack.
        index: of the pack.
    """

    folder: Path
    index: Index

    def split(self, name: str) -> "tuple[Tensor, Tensor]":
        """The images of a split, uint8 (N, C, H, W) in mapped memory, and their labels, int64 (N,).

        Args:
            name: train, validation or test.

        Raises:
            DataError: when the file cannot be read.
        """
        import torch

        counts = self.index.counts
        first = sum(sum(counts[split]) for split in SPLITS[: SPLITS.index(name)])
        n = sum(counts[name])
        try:
            mapped = _mapped(self.folder / IMAGES)
        except OSError as error:
            raise DataError(f"{self.folder / IMAGES} cannot be read: {error.strerror or error}") from error
        with warnings.catch_warnings():
            # Only where the memory is read-only: a write would end the process.
            warnings.filterwarnings("ignore", message=".*buffer is not writable.*")
            flat = torch.frombuffer(mapped, dtype=torch.uint8)
        images = flat.view(-1, *self.index.shape)[first : first + n]
        labels = torch.repeat_interleave(torch.arange(len(counts[name])), torch.tensor(counts[name]))
        return images, labels


def _mapped(path: Path) -> mmap.mmap:
    """The bytes of a file, whose pages all processes share until one of them writes to its copy.

    Private memory that may be written counts against the memory of the system as a whole, and a file that is larger is
    refused, as by `torch.from_file`: MAP_NORESERVE lifts that.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64", "arm64"):
            try:
                return mmap.mmap(
                    file.fileno(),
                    size,
                    flags=mmap.MAP_PRIVATE | getattr(mmap, "MAP_NORESERVE", 0x4000),
                    prot=mmap.PROT_READ | mmap.PROT_WRITE,
                )
            except OSError:  # a system that reserves all the same
                pass
        return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
