"""Pages of a mapped file, which leave the address space of the process without a loss."""

import ctypes
import mmap
import sys
from dataclasses import dataclass
from pathlib import Path

from jaxtyping import Shaped
from torch import Tensor

_MAPS, _SMAPS = Path("/proc/self/maps"), Path("/proc/self/smaps")


@dataclass(frozen=True)
class MappedPages:
    """The whole pages of a mapped file that hold a tensor.

    Args:
        address: of the first one.
        length: in bytes.
        begin: of the mapping.
        copied_on_write: True if the mapping is private and can be written to, so that a change of this process makes
            a copy of its page, which is nowhere else.
    """

    address: int
    length: int
    begin: int
    copied_on_write: bool

    def release(self) -> None:
        """Unmap the pages until they are read again, unless this process has changed one of them."""
        if not self.copied_on_write or self._is_unchanged():
            libc = ctypes.CDLL(None, use_errno=True)
            libc.madvise(ctypes.c_void_p(self.address), ctypes.c_size_t(self.length), ctypes.c_int(mmap.MADV_DONTNEED))

    def _is_unchanged(self) -> bool:
        """True if the mapping has no page that is a copy."""
        inside = False
        for line in _SMAPS.read_text().splitlines():
            first, _, rest = line.partition(" ")
            if first.endswith(":"):
                if inside and first == "Anonymous:":
                    return rest.split()[0] == "0"
            else:
                low, high = (int(address, 16) for address in first.split("-"))
                inside = low == self.begin and self.address + self.length <= high
        return False


def mapped_pages(images: Shaped[Tensor, "N *shape"]) -> MappedPages | None:
    """The pages of the file that images are mapped from, or None for images in memory and on other systems than Linux.

    Args:
        images: of any layout.
    """
    if images.device.type != "cpu" or not sys.platform.startswith("linux") or not images.numel():
        return None
    begin = images.data_ptr()
    span = sum((n - 1) * stride for n, stride in zip(images.shape, images.stride(), strict=True)) + 1
    end = begin + span * images.element_size()
    try:
        lines = _MAPS.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        addresses, permissions, _, _, inode, *_ = line.split(maxsplit=5)
        low, high = (int(address, 16) for address in addresses.split("-"))
        if low <= begin and end <= high:
            first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
            last = end // mmap.PAGESIZE * mmap.PAGESIZE
            if inode == "0" or last <= first:
                return None
            return MappedPages(first, last - first, low, permissions[3] == "p" and permissions[1] == "w")
    return None
