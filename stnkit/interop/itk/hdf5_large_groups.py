"""The links of an HDF5 group of more than eight members: a fractal heap holds them, and a B-tree of version 2 points.

Source: HDF5 File Format Specification, version 3.0, sections III.A.2 (B-trees 2) and III.G (fractal heaps).
"""

from collections.abc import Iterator
from typing import final

from stnkit.errors import InputError
from stnkit.interop.itk.hdf5_content import MOST, Content

# Signature, version, type and checksum of a node of a tree.
_NODE_BYTES = 10
_ADDRESS_BYTES = 8
_HASH_BYTES = 4


def links(content: Content, heap: int, tree: int) -> Iterator[bytes]:
    """The link messages of a group.

    Args:
        content: of the file.
        heap: address of the group's fractal heap.
        tree: address of the index of its names.

    Raises:
        InputError: when these are not there, or one of them is damaged.
    """
    held = _FractalHeap(content, heap)
    for record in _records(content, tree):
        # A hash of the name, and the place of the link in the heap: a byte of flags, the offset, the length.
        place = record[_HASH_BYTES : _HASH_BYTES + held.id_bytes]
        offset, length = place[1 : 1 + held.offset_bytes], place[1 + held.offset_bytes :]
        yield held.object_at(int.from_bytes(offset, "little"), int.from_bytes(length, "little"))


@final
class _FractalHeap:
    """Objects by their offset in a doubling table: two rows of blocks of one size, and each next row of twice that."""

    def __init__(self, content: Content, at: int) -> None:
        signature, _, self.id_bytes = content.unpack("<4sBH", at)
        self.width, self.start, self.largest, bits = content.unpack("<HQQH", at + 110)
        self.root, self.n_rows = content.unpack("<QH", at + 132)
        self.content, self.offset_bytes = content, -(-bits // 8)
        known = all(size > 0 and size.bit_count() == 1 for size in (self.width, self.start, self.largest))
        if signature != b"FRHP" or not known:
            raise InputError(f"expected a fractal heap at {at}, got other bytes: the file is damaged")

    def object_at(self, offset: int, n: int) -> bytes:
        block, first, n_rows = self.root, 0, self.n_rows
        while n_rows:
            block, first, n_rows = self._child(block, first, n_rows, offset)
        return self.content.bytes_at(block + offset - first, n)

    def _child(self, block: int, first: int, n_rows: int, offset: int) -> tuple[int, int, int]:
        """The block of an indirect one in which an offset lies: address, its first offset, and its rows or 0."""
        if self.content.bytes_at(block, 4) != b"FHIB":
            raise InputError(f"expected an indirect block at {block}, got other bytes: the file is damaged")
        within, row_bytes = offset - first, self.width * self.start
        row = 0 if within < row_bytes else (within // row_bytes).bit_length()
        size = self.start << max(0, row - 1)
        row_first = 0 if row == 0 else row_bytes << (row - 1)
        column = (within - row_first) // size
        if within < 0 or row >= n_rows:
            raise InputError(f"expected an offset in the fractal heap, got {offset}: the file is damaged")
        head = 5 + _ADDRESS_BYTES + self.offset_bytes
        (address,) = self.content.unpack("<Q", block + head + _ADDRESS_BYTES * (row * self.width + column))
        # A block that is larger than a direct one is indirect, with as many rows as fill it.
        rows = 0 if size <= self.largest else (size // row_bytes).bit_length()
        return address, first + row_first + column * size, rows


def _records(content: Content, tree: int) -> Iterator[bytes]:
    """The records of a B-tree of version 2, in no order."""
    signature, _, _, node_bytes, record_bytes, depth = content.unpack("<4sBBIHH", tree)
    root, n_root = content.unpack("<QH", tree + 16)
    if signature != b"BTHD" or not 0 < record_bytes < node_bytes:
        raise InputError(f"expected a B-tree of version 2 at {tree}, got other bytes: the file is damaged")
    pointers = _pointer_forms(node_bytes, record_bytes, depth)
    waiting, n_seen = [(root, n_root, depth)], 0
    while waiting:
        at, n_records, level = waiting.pop()
        n_seen += 1 + n_records
        if content.bytes_at(at, 4) != (b"BTIN" if level else b"BTLF") or n_seen > MOST:
            raise InputError(f"expected a node of a B-tree at {at}, got other bytes: the file is damaged")
        first = at + 6
        for i in range(n_records):
            yield content.bytes_at(first + i * record_bytes, record_bytes)
        if level:
            count_bytes, pointer_bytes = pointers[level - 1]
            for i in range(n_records + 1):
                pointer = content.bytes_at(first + n_records * record_bytes + i * pointer_bytes, pointer_bytes)
                count = pointer[_ADDRESS_BYTES : _ADDRESS_BYTES + count_bytes]
                address = int.from_bytes(pointer[:_ADDRESS_BYTES], "little")
                waiting.append((address, int.from_bytes(count, "little"), level - 1))


def _pointer_forms(node_bytes: int, record_bytes: int, depth: int) -> list[tuple[int, int]]:
    """The bytes of the number of records in a pointer, and of the pointer, for each level above the leaves."""
    most = (node_bytes - _NODE_BYTES) // record_bytes
    count_bytes, below, all_bytes, forms = _bytes_of(most), most, 0, []
    for _ in range(depth):
        # The address of a child, the number of its records, and from the second level on that of all below it.
        pointer_bytes = _ADDRESS_BYTES + count_bytes + all_bytes
        forms.append((count_bytes, pointer_bytes))
        most = (node_bytes - _NODE_BYTES - pointer_bytes) // (record_bytes + pointer_bytes)
        below = (most + 1) * below + most
        all_bytes = _bytes_of(below)
    return forms


def _bytes_of(number: int) -> int:
    return (max(number, 1).bit_length() + 7) // 8
