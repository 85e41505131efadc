"""A small memory of evaluated bases, bounded in bytes."""

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator

import torch
from torch import Tensor
from torch._guards import detect_fake_mode
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

# The size of the lattice, the part of it that is kept, and what the basis is made for.
Key = tuple[tuple[int, ...], tuple[int, ...], torch.dtype, torch.device]

# Enough for 64 control points on 1024 × 1024 pixels in float32 (281 MB).
MAX_BYTES = 512 * 2**20


def is_traced() -> bool:
    """Whether what is computed now is no real tensor, so that nothing is to be taken from a memory or kept."""
    if torch.compiler.is_compiling():
        return True
    # Asked for first, as it costs nothing: counters of operations are such modes too, over real tensors.
    return is_in_torch_dispatch_mode() and detect_fake_mode() is not None


@contextlib.contextmanager
def to_be_kept() -> Iterator[None]:
    """What is made here is a plain tensor without a gradient, whatever the caller's function is transformed by."""
    # One from inference mode would break a later backward pass, one of torch.func the next call of it.
    with torch.inference_mode(False), torch.no_grad(), torch._C._DisableFuncTorch():
        yield


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
