"""The bytes of an HDF5 file, read with the file's bounds."""

import struct
from typing import Any, final

from stnkit.errors import InputError

# Messages of an object, nodes of a tree and its records: a damaged file may point in a circle.
MOST = 100_000


@final
class Content:
    """The bytes of a file by their addresses.

    Args:
        raw: all of them.

    Example:
        >>> from stnkit.interop.itk.hdf5_content import Content
        >>> Content(bytes([1, 2, 3])).unpack("<2B", 1)
        (2, 3)
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def unpack(self, form: str, at: int) -> tuple[Any, ...]:
        """Numbers of the file.

        Args:
            form: of `struct`.
            at: address.

        Raises:
            InputError: when the file ends before.
        """
        return struct.unpack(form, self.bytes_at(at, struct.calcsize(form)))

    def bytes_at(self, at: int, n: int) -> bytes:
        """Bytes of the file.

        Args:
            at: address.
            n: number of them.

        Raises:
            InputError: when the file ends before.
        """
        if not 0 <= at <= at + n <= len(self.raw):
            raise InputError(f"expected {n} bytes at {at}, got a file of {len(self.raw)}: it is damaged")
        return self.raw[at : at + n]
