"""The objects of an HDF5 file: superblocks, object headers, and the members of groups, old and new.

SimpleITK writes superblock 2, object headers 2 and links as messages, beyond 8 of a group in a heap
(`hdf5_large_groups`); ours and older files have superblock 0, object headers 1 and symbol tables.

Source: HDF5 File Format Specification, version 3.0, sections II (superblocks), III.A (B-trees), III.B and III.C (symbol
tables), III.D (local heaps), IV.A.1 (object headers) and IV.A.2 (messages).
"""

import struct
from collections.abc import Iterator
from typing import Any

from stnkit.errors import InputError
from stnkit.interop.itk.hdf5_content import MOST, Content
from stnkit.interop.itk.hdf5_large_groups import links

SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNDEFINED = 0xFFFFFFFFFFFFFFFF
_CONTINUATION, _LINK_INFO, _LINK, _SYMBOL_TABLE = 0x10, 0x02, 0x06, 0x11


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
        self.content = Content(content)
        version = content[8] if len(content) > 8 else None
        if version in (0, 1):
            lengths, start = self.content.unpack("<2B", 13), 24 + 4 * version
            base, _, end, _, _, self.root = self.content.unpack("<6Q", start)
        elif version in (2, 3):
            lengths, (base, _, end, self.root) = self.content.unpack("<2B", 9), self.content.unpack("<4Q", 12)
        else:
            raise InputError(f"expected an HDF5 file with a superblock of version 0 to 3, got {version}")
        if lengths != (8, 8) or base:
            raise InputError(f"expected addresses of 8 bytes from the beginning of the file, got {lengths} from {base}")
        if end > len(content):
            raise InputError(f"expected {end} bytes, got {len(content)}: the file is cut short")

    def messages(self, header: int) -> list[tuple[int, bytes]]:
        """The kinds and contents of the messages of an object.

        Args:
            header: address of its object header.

        Raises:
            InputError: when there is none.
        """
        new = self.content.bytes_at(header, 4) == b"OHDR"
        if new:
            version, flags = self.content.unpack("<2B", header + 4)
            start = header + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            (size,) = self.content.unpack(f"<{'BHIQ'[flags & 3]}", start)
            blocks = [(start + (1 << (flags & 3)), size)]
        else:
            (version, _, _, _, size), flags = self.content.unpack("<BBHII", header), 0
            blocks = [(header + 16, size)]
        if version != (2 if new else 1):
            raise InputError(f"expected an object header at {header}, got other bytes: the file is damaged")
        found: list[tuple[int, bytes]] = []
        head, form = (6 if flags & 4 else 4, "<BH") if new else (8, "<HH")
        while blocks:
            at, size = blocks.pop(0)
            end = at + size
            while at + head <= end and len(found) < MOST:
                kind, n = self.content.unpack(form, at)
                content = self.content.bytes_at(at + head, n)
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
            InputError: when it is no group, or a damaged one.
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
                    for link in links(self.content, heap, index):
                        found |= _link(link)
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
            signature, found, level, n = self.content.unpack("<4sBBH", at)
            if signature != b"TREE" or found != kind or n_nodes > MOST:
                raise InputError(f"expected a node of a B-tree at {at}, got other bytes: the file is damaged")
            for i in range(n):
                where = at + 24 + i * (key + 8)
                (child,) = self.content.unpack("<Q", where + key)
                if level:
                    waiting.append(child)
                else:
                    yield where, child

    def _old_members(self, tree: int, heap: int) -> dict[str, int]:
        (names,) = self.content.unpack("<Q", heap + 24)
        found = {}
        for _, leaf in self.leaves(tree, 0, 8):
            signature, _, _, n = self.content.unpack("<4sBBH", leaf)
            if signature != b"SNOD":
                raise InputError(f"expected a symbol table at {leaf}, got other bytes: the file is damaged")
            for i in range(n):
                offset, header = self.content.unpack("<2Q", leaf + 8 + 40 * i)
                start = names + offset
                found[_text(self.content.raw[start : max(start, self.content.raw.find(b"\0", start))])] = header
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
