"""The vectors and strings of an HDF5 file: compact, contiguous and chunked, with deflate and shuffle.

Source: HDF5 File Format Specification, version 3.0, sections III.A.1 (B-trees 1), III.E (the global heap) and IV.A.2
(messages 1, 3, 8 and 11), and the definitions of the filters.
"""

import math
import struct
import zlib

import numpy as np
from jaxtyping import Float64

from stnkit.errors import InputError
from stnkit.interop.itk.hdf5_objects import UNDEFINED, Objects

_DATASPACE, _DATATYPE, _LAYOUT, _FILTERS = 0x01, 0x03, 0x08, 0x0B
_COMPACT, _CONTIGUOUS, _CHUNKED = 0, 1, 2
_FLOAT, _STRING, _VARIABLE = 1, 3, 9
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3


class Dataset:
    """The values of a dataset.

    Args:
        objects: of the file.
        name: of the dataset, for messages.
        header: address of its object header.

    Raises:
        InputError: when it is no dataset, or one of a form that this reader does not know.
    """

    def __init__(self, objects: Objects, name: str, header: int) -> None:
        self.objects, self.name = objects, name
        messages = dict(objects.messages(header))
        if not {_DATASPACE, _DATATYPE, _LAYOUT} <= messages.keys():
            raise InputError(f"{name}: expected a dataset, got another object")
        try:
            self._read_header(messages)
        except (struct.error, IndexError) as error:
            raise InputError(f"{name}: expected a dataset, got a damaged one") from error

    def vector(self) -> Float64[np.ndarray, "n"]:
        """Its numbers, one after another.

        Raises:
            InputError: when they are no float32 or float64, or are stored in another form.
        """
        if self.kind != _FLOAT or self.item_bytes not in (4, 8):
            raise InputError(f"{self.name}: expected float32 or float64, got the type {self.kind}")
        numbers = np.frombuffer(self._content(), dtype=f"{'>' if self.big_endian else '<'}f{self.item_bytes}")
        return numbers.astype(np.float64)

    def text(self) -> str:
        """Its only string.

        Raises:
            InputError: when it is none.
        """
        content = self._content()
        if self.kind == _VARIABLE and len(content) >= 16:
            length, heap, index = struct.unpack("<IQI", content[:16])
            content = self._of_heap(heap, index)[:length]
        elif self.kind != _STRING:
            raise InputError(f"{self.name}: expected a string, got the type {self.kind}")
        return content.partition(b"\0")[0].decode("utf-8", errors="replace")

    def _read_header(self, messages: dict[int, bytes]) -> None:
        space, datatype, layout = messages[_DATASPACE], messages[_DATATYPE], messages[_LAYOUT]
        first = 8 if space[0] == 1 else 4
        self.shape = struct.unpack(f"<{space[1]}Q", space[first : first + 8 * space[1]])
        self.kind, self.big_endian = datatype[0] & 0xF, bool(datatype[1] & 1)
        (self.item_bytes,) = struct.unpack("<I", datatype[4:8])
        self.n_bytes = math.prod(self.shape) * self.item_bytes
        if self.n_bytes > 1100 * len(self.objects.content.raw):  # deflate makes no more of a byte
            raise InputError(f"{self.name}: expected a shape that the file can hold, got {list(self.shape)}")
        if layout[0] != 3:
            raise InputError(f"{self.name}: expected a data layout of version 3, got {layout[0]}: SimpleITK reads it")
        self.layout = layout
        self.filters = _filters(self.name, messages.get(_FILTERS))

    def _content(self) -> bytes:
        if self.layout[1] == _COMPACT:
            found = self.layout[4 : 4 + self.n_bytes]
        elif self.layout[1] == _CONTIGUOUS:
            (at,) = struct.unpack("<Q", self.layout[2:10])
            found = b"" if at == UNDEFINED else self.objects.content.bytes_at(at, self.n_bytes)
        elif self.layout[1] == _CHUNKED and len(self.shape) == 1:
            found = self._chunks()
        else:
            raise InputError(f"{self.name}: expected a vector in one piece or in chunks, got another layout")
        if len(found) != self.n_bytes:
            raise InputError(f"{self.name}: expected {self.n_bytes} bytes, got {len(found)}: the file is damaged")
        return found

    def _chunks(self) -> bytes:
        (tree,), (n_items,) = struct.unpack("<Q", self.layout[3:11]), struct.unpack("<I", self.layout[11:15])
        chunk_bytes, found = n_items * self.item_bytes, bytearray(self.n_bytes)
        if tree == UNDEFINED:
            return b""
        for key, at in self.objects.leaves(tree, 1, 24):
            stored, skipped, first, _ = self.objects.content.unpack("<IIQQ", key)
            content = self.objects.content.bytes_at(at, stored)
            for i, identifier in reversed(list(enumerate(self.filters))):
                if not skipped >> i & 1:
                    content = self._unfiltered(identifier, content, chunk_bytes)
            start = first * self.item_bytes
            content = content[: max(0, self.n_bytes - start)]
            found[start : start + len(content)] = content
        return bytes(found)

    def _unfiltered(self, identifier: int, content: bytes, chunk_bytes: int) -> bytes:
        if identifier == _SHUFFLE and not len(content) % self.item_bytes:
            return np.frombuffer(content, np.uint8).reshape(self.item_bytes, -1).T.tobytes()
        if identifier == _FLETCHER32:
            return content[:-4]
        if identifier == _SHUFFLE:
            raise InputError(f"{self.name}: expected whole numbers of shuffled items, got others: the file is damaged")
        try:
            return zlib.decompressobj().decompress(content, chunk_bytes + 4)
        except zlib.error as error:
            raise InputError(f"{self.name}: expected deflated bytes, got others: the file is damaged") from error

    def _of_heap(self, heap: int, index: int) -> bytes:
        """The object of a global heap."""
        signature, size = self.objects.content.unpack("<4s4xQ", heap)
        at = heap + 16
        while signature == b"GCOL" and at + 16 <= heap + size:
            found, n = self.objects.content.unpack("<H6xQ", at)
            if found == index:
                return self.objects.content.bytes_at(at + 16, n)
            if not found:
                break
            at += 16 + n + -n % 8
        raise InputError(f"{self.name}: expected a string in the heap at {heap}, got none: the file is damaged")


def _filters(name: str, message: bytes | None) -> list[int]:
    """The identifiers of the filters, in the order in which they were applied."""
    if message is None:
        return []
    version, n = message[0], message[1]
    at, found = (8 if version == 1 else 2), []
    for _ in range(n):
        identifier = struct.unpack("<H", message[at : at + 2])[0]
        if identifier not in (_DEFLATE, _SHUFFLE, _FLETCHER32):
            raise InputError(f"{name}: expected the filters deflate and shuffle, got number {identifier}")
        if version == 1:
            length, _, n_values = struct.unpack("<3H", message[at + 2 : at + 8])
            at += 8 + length + 4 * (n_values + n_values % 2)
        else:
            (n_values,) = struct.unpack("<H", message[at + 4 : at + 6])
            at += 6 + 4 * n_values
        found.append(identifier)
    return found
