"""A small memory of evaluated bases, bounded in bytes."""

import threading
from collections import OrderedDict

import torch
from torch import Tensor

from stnkit.families.memory import is_traced

# The size of the lattice, the part of it that is kept, and what the basis is made for.
Key = tuple[tuple[int, ...], tuple[int, ...], torch.dtype, torch.device]

# Enough for 64 control points on 1024 × 1024 pixels in float32 (281 MB).
MAX_BYTES = 512 * 2**20


class BasisCache:
    """The least recently used bases go first; a copy or a pickle of the cache is empty.

    Args:
        max_bytes: what all kept bases together may take.
    """

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self._entries: OrderedDict[Key, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def admits(self, n_bytes: int) -> bool:
        """Whether a basis of that many bytes can be kept at all."""
        return n_bytes <= self.max_bytes

    def get(self, key: Key) -> Tensor | None:
        """The basis of that size, dtype and device, or None."""
        if torch.compiler.is_compiling():
            # A traced program must not change what it was traced from.
            return self._entries.get(key)
        if is_traced():
            return None
        with self._lock:
            basis = self._entries.get(key)
            if basis is not None:
                self._entries.move_to_end(key)
        return basis

    def put(self, key: Key, basis: Tensor) -> None:
        """Keep a basis, and forget the longest unused ones until all fit."""
        if is_traced():
            return
        with self._lock:
            self._entries[key] = basis
            while sum(entry.nbytes for entry in self._entries.values()) > self.max_bytes:
                self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> tuple[type["BasisCache"], tuple[int]]:
        return BasisCache, (self.max_bytes,)
