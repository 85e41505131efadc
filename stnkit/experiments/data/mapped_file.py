"""Rows of a tensor that is mapped from a file, read from the file itself."""

import math
import os
import sys
import weakref
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from jaxtyping import Int64, Shaped
from torch import Tensor

from stnkit.errors import DataError

_MAPS, _SMAPS = Path("/proc/self/maps"), Path("/proc/self/smaps")


class MappedFile:
    """The file behind a mapped tensor, for reading rows without touching the mapping.

    A page that is read through a mapping counts as private memory of the process, and costs a page fault each time
    that it has been unmapped. A batch that is read from the file instead takes 0.9 ms, not 2.2 with the unmapping (64
    images of 3×96×96, 2 cores of an EPYC, 2026-11-29).

    Args:
        path: of the file.
        offset: of the tensor's first byte in it.
        like: the tensor; its rows are dense and follow each other.
        begin: address of the mapping.
        changeable: True if the mapping is private and can be written to, so that changes of this process are not in
            the file.
    """

    def __init__(self, path: str, offset: int, like: Tensor, begin: int, *, changeable: bool) -> None:
        self._path, self._offset, self._begin, self._changeable = path, offset, begin, changeable
        self._like, self._row_bytes = like, like[:1].numel() * like.element_size()
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)

    def __deepcopy__(self, memo: object) -> "MappedFile":
        return self  # it does not change, and another one would not know when to close the file

    def __reduce__(self) -> NoReturn:
        raise TypeError("a MappedFile belongs to its process")

    def is_current(self) -> bool:
        """True if the file holds what the tensor does: this process has changed no page of the mapping."""
        if not self._changeable:
            return True
        inside = False
        for line in _lines(_SMAPS):
            first, _, rest = line.partition(" ")
            if not first.endswith(":"):
                inside = int(first.partition("-")[0], 16) == self._begin
            elif inside and first == "Anonymous:":
                return rest.split()[0] == "0"
        return False

    def take(self, index: Int64[Tensor, "B"]) -> Shaped[Tensor, "B *shape"]:
        """A copy of the rows with these indices.

        Args:
            index: from 0 to N − 1.

        Raises:
            DataError: when the file was cut short.
            OSError: when it cannot be read any more.
        """
        rows, size = index.tolist(), self._row_bytes
        content = np.empty(len(rows) * size, np.uint8)
        target = content.data
        for place, row in enumerate(rows):
            self._read(target[place * size : (place + 1) * size], row)
        return self._shaped(content, len(rows))

    def chunk(self, start: int, stop: int) -> Shaped[Tensor, "B *shape"]:
        """A copy of the rows from `start` to `stop` − 1.

        Args:
            start: at least 0.
            stop: at most N.

        Raises:
            DataError: when the file was cut short.
            OSError: when it cannot be read any more.
        """
        content = np.empty((stop - start) * self._row_bytes, np.uint8)
        self._read(content.data, start)
        return self._shaped(content, stop - start)

    def _read(self, target: memoryview, row: int) -> None:
        at = self._offset + row * self._row_bytes
        while target:
            n = os.preadv(self._descriptor, [target], at)
            if not n:
                raise DataError(f"expected {len(target)} more bytes at {at} of {self._path}: it was cut short")
            target, at = target[n:], at + n

    def _shaped(self, content: np.ndarray, n: int) -> Tensor:
        flat = torch.from_numpy(content).view(self._like.dtype)
        return flat.as_strided((n, *self._like.shape[1:]), self._like.stride())


def mapped_file(images: Shaped[Tensor, "N *shape"]) -> MappedFile | None:
    """The file that images are mapped from; None for images in memory, and where it cannot be told.

    Args:
        images: of any layout.
    """
    n = math.prod(images.shape[1:])
    dense = sum((side - 1) * stride for side, stride in zip(images.shape[1:], images.stride()[1:], strict=True)) + 1
    if images.device.type != "cpu" or not sys.platform.startswith("linux") or not images.numel():
        return None
    if dense != n or (len(images) > 1 and images.stride(0) != n):
        return None
    begin, end = images.data_ptr(), images.data_ptr() + images.numel() * images.element_size()
    try:
        for line in _lines(_MAPS):
            addresses, permissions, offset, device, inode, *path = line.split(maxsplit=5)
            low, high = (int(address, 16) for address in addresses.split("-"))
            if low <= begin and end <= high:
                if inode == "0" or not path or not _is_the_file(name := _name(path[0]), device, int(inode)):
                    return None
                changeable = permissions[1] == "w" and permissions[3] == "p"
                return MappedFile(name, int(offset, 16) + begin - low, images, low, changeable=changeable)
    except (OSError, ValueError):
        pass
    return None


def _lines(path: Path) -> list[str]:
    # Not `splitlines`: the name of a file may hold what is the end of a line elsewhere, and any bytes.
    return os.fsdecode(path.read_bytes()).split("\n")[:-1]


def _name(escaped: str) -> str:
    """The name of a file from the kernel's list, in which the end of a line is escaped."""
    return escaped.replace("\\012", "\n")


def _is_the_file(path: str, device: str, inode: int) -> bool:
    """True if the file of that name is the one that is mapped: another one may have taken its place."""
    state = Path(path).stat()
    major, minor = (int(number, 16) for number in device.split(":"))
    return state.st_ino == inode and state.st_dev == os.makedev(major, minor)
