"""The objects of an HDF5 file: superblocks, object headers, and the members of groups, old and new.

SimpleITK writes superblock 2, object headers 2 and links as messages, beyond 8 of a group in a fractal heap; ours and
older files have superblock 0, object headers 1 and symbol tables.

Source: HDF5 File Format Specification, version 3.0, sections II (superblocks), III.A (B-trees), III.B and III.C (symbol
tables), III.D (local heaps), III.G (fractal heaps), IV.A.1 (object headers) and IV.A.2 (messages).
"""

import struct
from collections.abc import Iterator
from typing import Any

from stnkit.errors import InputError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNDEFINED = 0xFFFFFFFFFFFFFFFF
_CONTINUATION, _LINK_INFO, _LINK, _SYMBOL_TABLE = 0x10, 0x02, 0x06, 0x11
# Messages of an object, and nodes of a tree: a damaged file may point in a circle.
_MOST = 100_000


class Objects:
    """The objects of a file by the addresses of their headers.

    Args:
        content: of the file.

    Raises:
        InputError: when it is no HDF5 file, is cut short, or has addresses of another length than 8 bytes.

    Example:
        >>> import numpy as np
        >>> from stnkit.interop.itk.hdf5 import hdf5_bytes
        >>> from stnkit.interop.itk.hdf5_objects import Objects
        >>> objects = Objects(hdf5_bytes({"numbers": np.array([1.0, 2.0])}))
        >>> list(objects.members(objects.root))
        ['numbers']
    """

    def __init__(self, content: bytes) -> None:
        if content[:8] != SIGNATURE:
            raise InputError("expected an HDF5 file, got other bytes")
        self.content = content
        version = content[8] if len(content) > 8 else None
        if version in (0, 1):
            lengths, start = self.unpack("<2B", 13), 24 + 4 * version
            (base, _, end, _), (_, self.root) = self.unpack("<4Q", start), self.unpack("<2Q", start + 32)
        elif version in (2, 3):
            lengths, (base, _, end, self.root) = self.unpack("<2B", 9), self.unpack("<4Q", 12)
        else:
            raise InputError(f"expected an HDF5 file with a superblock of version 0 to 3, got {version}")
        if lengths != (8, 8) or base:
            raise InputError(f"expected addresses of 8 bytes from the beginning of the file, got {lengths} from {base}")
        if end > len(content):
            raise InputError(f"expected {end} bytes, got {len(content)}: the file is cut short")

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
        if not 0 <= at <= at + n <= len(self.content):
            raise InputError(f"expected {n} bytes at {at}, got a file of {len(self.content)}: it is damaged")
        return self.content[at : at + n]

    def messages(self, header: int) -> list[tuple[int, bytes]]:
        """The kinds and contents of the messages of an object.

        Args:
            header: address of its object header.

        Raises:
            InputError: when there is none.
        """
        new = self.bytes_at(header, 4) == b"OHDR"
        if new:
            version, flags = self.unpack("<2B", header + 4)
            start = header + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            (size,) = self.unpack(f"<{'BHIQ'[flags & 3]}", start)
            blocks = [(start + (1 << (flags & 3)), size)]
        else:
            (version, _, _, _, size), flags = self.unpack("<BBHII", header), 0
            blocks = [(header + 16, size)]
        if version != (2 if new else 1):
            raise InputError(f"expected an object header at {header}, got other bytes: the file is damaged")
        found: list[tuple[int, bytes]] = []
        head, form = (6 if flags & 4 else 4, "<BH") if new else (8, "<HH")
        while blocks:
            at, size = blocks.pop(0)
            end = at + size
            while at + head <= end and len(found) < _MOST:
                kind, n = self.unpack(form, at)
                content = self.bytes_at(at + head, n)
                at += head + n
                if kind == _CONTINUATION:
                    where, length = _parts("<2Q", content)
                    # A new block has a signature before its messages and a checksum behind them.
                    blocks.append((where + 4, length - 8) if new else (where, length))
                found.append((kind, content))
        return found

    def members(self, header: int) -> dict[str, int]:
        """The addresses of the object headers of a group's members, by name.

        Args:
            header: address of the group's.

        Raises:
            InputError: when it is no group, or one of more members than a node of a fractal heap holds.
        """
        found: dict[str, int] = {}
        for kind, content in self.messages(header):
            if kind == _LINK:
                found |= _link(content)
            elif kind == _SYMBOL_TABLE:
                tree, heap = _parts("<2Q", content)
                found |= self._old_members(tree, heap)
            elif kind == _LINK_INFO:
                heap, index = _parts("<2Q", content[10 if content[1:2] and content[1] & 1 else 2 :])
                if heap != UNDEFINED:
                    found |= self._dense_members(heap, index)
        return found

    def leaves(self, tree: int, kind: int, key: int) -> Iterator[tuple[int, int]]:
        """The addresses of the keys of a B-tree's leaves, and those that the leaves point to.

        Args:
            tree: address of its root.
            kind: 0 for groups, 1 for chunks.
            key: bytes of a key.

        Raises:
            InputError: when it is no such tree.
        """
        waiting, n_nodes = [tree], 0
        while waiting:
            at, n_nodes = waiting.pop(0), n_nodes + 1
            signature, found, level, n = self.unpack("<4sBBH", at)
            if signature != b"TREE" or found != kind or n_nodes > _MOST:
                raise InputError(f"expected a node of a B-tree at {at}, got other bytes: the file is damaged")
            for i in range(n):
                where = at + 24 + i * (key + 8)
                (child,) = self.unpack("<Q", where + key)
                if level:
                    waiting.append(child)
                else:
                    yield where, child

    def _old_members(self, tree: int, heap: int) -> dict[str, int]:
        (names,) = self.unpack("<Q", heap + 24)
        found = {}
        for _, leaf in self.leaves(tree, 0, 8):
            signature, _, _, n = self.unpack("<4sBBH", leaf)
            if signature != b"SNOD":
                raise InputError(f"expected a symbol table at {leaf}, got other bytes: the file is damaged")
            for i in range(n):
                offset, header = self.unpack("<2Q", leaf + 8 + 40 * i)
                start = names + offset
                found[_text(self.content[start : max(start, self.content.find(b"\0", start))])] = header
        return found

    def _dense_members(self, heap: int, index: int) -> dict[str, int]:
        """Those of links in a fractal heap of one block, with an index of one node."""
        signature, _, id_length = self.unpack("<4sBH", heap)
        root, n_rows = self.unpack("<QH", heap + 132)
        offset_bytes = (self.unpack("<H", heap + 128)[0] + 7) // 8
        tree, (record_bytes, depth) = self.bytes_at(index, 4), self.unpack("<2H", index + 10)
        node, n_records = self.unpack("<QH", index + 16)
        if (signature, tree) != (b"FRHP", b"BTHD"):
            raise InputError(f"expected a fractal heap at {heap}, got other bytes: the file is damaged")
        if n_rows or depth:
            raise InputError("expected a group that one block holds, got a larger one: SimpleITK reads it")
        found: dict[str, int] = {}
        for i in range(n_records):
            # A hash of the name, and the place of the link in the heap: a byte of flags, the offset, the length.
            record = self.bytes_at(node + 6 + i * record_bytes, record_bytes)[4 : 4 + id_length]
            offset = int.from_bytes(record[1 : 1 + offset_bytes], "little")
            found |= _link(self.bytes_at(root + offset, int.from_bytes(record[1 + offset_bytes :], "little")))
        return found


def _link(message: bytes) -> dict[str, int]:
    """The name and the address of a hard link; nothing for another link."""
    _, flags = _parts("<2B", message)
    at = 2
    if flags & 8:
        if _parts("<B", message[at:]) != (0,):
            return {}
        at += 1
    at += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
    (n,) = _parts(f"<{'BHIQ'[flags & 3]}", message[at:])
    at += 1 << (flags & 3)
    (header,) = _parts("<Q", message[at + n :])
    return {_text(message[at : at + n]): header}


def _parts(form: str, content: bytes) -> tuple[Any, ...]:
    """The first numbers of a message."""
    size = struct.calcsize(form)
    if len(content) < size:
        raise InputError(f"expected a message of {size} bytes, got {len(content)}: the file is damaged")
    return struct.unpack(form, content[:size])


def _text(name: bytes) -> str:
    return name.decode("utf-8", errors="replace")
