"""A minimal writer of HDF5: groups, vectors of float64 and strings, in the oldest layout, which every reader knows.

A file is a superblock, a heap of all strings, and for each group an object header, a local heap of its members' names,
a B-tree with one leaf and a symbol table; for each dataset an object header and its data. All integers are
little-endian, all addresses count bytes from the beginning of the file.

Source: HDF5 File Format Specification, version 3.0, sections II.A (superblock 0), III.A.1 (B-trees 1), III.B and
III.C (symbol tables), III.D (local heaps), III.E (the global heap), IV.A.1.a (object headers 1) and IV.A.2 (messages).
"""

import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

# A string, a vector, or a group of nodes by name: beartype knows no recursive types.
Node = str | Float[np.ndarray, "n"] | Mapping[str, Any]

_UNDEFINED = 0xFFFFFFFFFFFFFFFF
_SUPERBLOCK_BYTES = 96
# The library reads so many bytes of a heap at once.
_LEAST_HEAP = 4096
# Half the number of children of a node of a B-tree. A group of one leaf needs a single one.
_BTREE_RANK = 16

_DATASPACE, _DATATYPE, _LAYOUT, _SYMBOL_TABLE = 0x01, 0x03, 0x08, 0x11
# IEEE 754 binary64, little-endian: sign at bit 63, exponent of 11 bits from 52 on, bias 1023.
_FLOAT64 = bytes.fromhex("11203f0008000000") + struct.pack("<HHBBBBI", 0, 64, 52, 11, 0, 52, 1023)
# A sequence of variable length, of kind string: 16 bytes in the dataset, of characters of one unsigned byte.
_STRING = bytes.fromhex("1901000010000000") + bytes.fromhex("1000000001000000") + struct.pack("<HH", 0, 8)


def hdf5_bytes(root: Mapping[str, Node]) -> bytes:
    """The content of an HDF5 file.

    Args:
        root: the members of the root group by their names, in ASCII.

    Example:
        >>> import numpy as np
        >>> from stnkit.interop.itk.hdf5 import hdf5_bytes
        >>> hdf5_bytes({"numbers": np.array([1.0, 2.0])})[1:4]
        b'HDF'
    """
    writer = _Writer(root)
    header, btree, heap = writer.group(root)
    head = b"\x89HDF\r\n\x1a\n" + struct.pack("<8B", 0, 0, 0, 0, 0, 8, 8, 0)
    head += struct.pack("<HHI", writer.leaf_rank, _BTREE_RANK, 0)
    head += struct.pack("<4Q", 0, _UNDEFINED, len(writer.content), _UNDEFINED)
    head += struct.pack("<QQIIQQ", 0, header, 1, 0, btree, heap)
    writer.content[:_SUPERBLOCK_BYTES] = head
    return bytes(writer.content)


class _Writer:
    """The file as it grows: what is written first is pointed at by what comes later."""

    def __init__(self, root: Mapping[str, Node]) -> None:
        self.content = bytearray(_SUPERBLOCK_BYTES)
        most = max(len(group) for group in _groups(root))
        self.leaf_rank = max(4, (most + 1) // 2)
        self.strings = list(dict.fromkeys(_strings(root)))
        self.string_heap = self._append(_global_heap(self.strings))

    def group(self, members: Mapping[str, Node]) -> tuple[int, int, int]:
        """The addresses of a new group: of its object header, B-tree and local heap."""
        # Sorted, as the library searches by halves.
        headers = [(name, self._node(members[name])) for name in sorted(members)]
        names = bytearray(8)  # the empty name, the lower bound of the B-tree
        entries, offset = b"", 0
        for name, (header, cached) in headers:
            offset = len(names)
            names += _padded(name.encode("ascii") + b"\0")
            entries += struct.pack("<QQII", offset, header, 1 if cached else 0, 0) + (cached or bytes(16))
        leaf = b"SNOD" + struct.pack("<BBH", 1, 0, len(headers)) + entries
        leaf_address = self._append(leaf.ljust(8 + 2 * self.leaf_rank * 40, b"\0"))
        # Without free space, whose list would start at 1.
        heap = self._append(b"HEAP" + struct.pack("<BxxxQQQ", 0, len(names), 1, len(self.content) + 32) + names)
        tree = b"TREE" + struct.pack("<BBHQQ", 0, 0, 1, _UNDEFINED, _UNDEFINED)
        tree += struct.pack("<QQQ", 0, leaf_address, offset)
        btree = self._append(tree.ljust(24 + (4 * _BTREE_RANK + 1) * 8, b"\0"))
        return self._object([(_SYMBOL_TABLE, struct.pack("<QQ", btree, heap))]), btree, heap

    def _node(self, node: Node) -> tuple[int, bytes]:
        """The address of its object header, and of a group what its parent caches of it."""
        if isinstance(node, Mapping):
            header, btree, heap = self.group(node)
            return header, struct.pack("<QQ", btree, heap)
        if isinstance(node, str):
            index = self.strings.index(node) + 1
            return self._dataset(_STRING, 1, struct.pack("<IQI", len(node), self.string_heap, index)), b""
        return self._dataset(_FLOAT64, len(node), np.asarray(node, dtype="<f8").tobytes()), b""

    def _dataset(self, datatype: bytes, n: int, data: bytes) -> int:
        address = self._append(data) if data else _UNDEFINED
        dataspace = struct.pack("<BBBBIQ", 1, 1, 0, 0, 0, n)
        layout = struct.pack("<BBQQ", 3, 1, address, len(data))
        return self._object([(_DATASPACE, dataspace), (_DATATYPE, datatype), (_LAYOUT, layout)])

    def _object(self, messages: list[tuple[int, bytes]]) -> int:
        """The address of a new object header."""
        body = b"".join(
            struct.pack("<HHBxxx", kind, len(_padded(message)), 0) + _padded(message) for kind, message in messages
        )
        return self._append(struct.pack("<BxHIIxxxx", 1, len(messages), 1, len(body)) + body)

    def _append(self, data: bytes) -> int:
        """The address of `data`, a multiple of 8."""
        address = len(self.content)
        self.content += _padded(data)
        return address


def _global_heap(strings: list[str]) -> bytes:
    objects = b"".join(
        struct.pack("<HHIQ", index, 1, 0, len(text)) + _padded(text.encode("ascii"))
        for index, text in enumerate(strings, start=1)
    )
    # Object 0 is the free space at the end, with its own header of 16 bytes.
    size = max(_LEAST_HEAP, 16 + len(objects) + 16)
    free = size - 16 - len(objects)
    heap = b"GCOL" + struct.pack("<BxxxQ", 1, size) + objects + struct.pack("<HHIQ", 0, 0, 0, free)
    return heap.ljust(size, b"\0")


def _groups(group: Mapping[str, Node]) -> Iterator[Mapping[str, Node]]:
    yield group
    for node in group.values():
        if isinstance(node, Mapping):
            yield from _groups(node)


def _strings(group: Mapping[str, Node]) -> Iterator[str]:
    for each in _groups(group):
        yield from (node for node in each.values() if isinstance(node, str))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)
