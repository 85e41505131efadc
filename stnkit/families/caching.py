"""A byte-bounded cache of constant tensors, safe under autograd, vmap and torch.compile."""

import functools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, ParamSpec, TypeVar

import torch
from torch import Tensor

from stnkit.families.thresholds import FUNCTION_CACHE_BYTES
from stnkit.families.tracing import exported_constant, exports_constants, is_traced, plain_tensors

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made", Tensor, tuple[Tensor, ...])

# Every cache of this process, for `clear_caches`; the lock, since other threads may make families.
_caches: "weakref.WeakSet[TensorCache[Any]]" = weakref.WeakSet()
_caches_lock = threading.Lock()


def clear_caches() -> None:
    """Drop every cached tensor of this process: the bases of families and the constants of grids.

    They are computed again when they are needed. For a program that must return memory, and for tests.

    Example:
        >>> import stnkit
        >>> stnkit.clear_caches()
    """
    with _caches_lock:
        caches = list(_caches)
    for cache in caches:
        cache.clear()


class TensorCache(Generic[Made]):
    """An LRU cache of tensors, bounded in bytes; a copy or a pickle of it is empty.

    An entry that exceeds the bound by itself is not stored.

    Args:
        max_bytes: bound of all entries together.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, Made] = OrderedDict()
        self._lock = threading.Lock()
        with _caches_lock:
            _caches.add(self)

    def admits(self, n_bytes: int) -> bool:
        """True if an entry of that many bytes can be stored."""
        return n_bytes <= self.max_bytes

    def get(self, key: Hashable) -> Made | None:
        """The entry of a key, or None."""
        if torch.compiler.is_compiling():
            # A traced program must not change what it was traced from. A symbolic size has no hash.
            try:
                return self._entries.get(key)
            except TypeError:
                return None
        if is_traced():
            return None
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
        return found

    def put(self, key: Hashable, made: Made) -> None:
        """Store an entry, and evict the least recently used ones until all fit."""
        if is_traced() or not self.admits(_bytes(made)):
            return
        with self._lock:
            self._entries[key] = made
            n_bytes = sum(map(_bytes, self._entries.values()))
            while n_bytes > self.max_bytes:
                _, oldest = self._entries.popitem(last=False)
                n_bytes -= _bytes(oldest)

    def clear(self) -> None:
        """Drop all entries."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> tuple[type["TensorCache[Made]"], tuple[int]]:
        return type(self), (self.max_bytes,)


def cached(make: Callable[Arguments, Made]) -> Callable[Arguments, Made]:
    """A function of sizes, dtype and device whose last results are cached, up to 16 MB.

    A compiled program computes its own; an exported one has them as constants where sizes are known. Results are
    shared: never change one in place.

    Args:
        make: of hashable arguments; returns one tensor or several, which depend on the arguments alone.

    Example:
        >>> import torch, stnkit
        >>> @stnkit.families.cached
        ... def ramp(n: int, device: torch.device):
        ...     return torch.linspace(-1, 1, n, device=device)
        >>> ramp(5, torch.device("cpu")) is ramp(5, torch.device("cpu"))
        True
    """
    cache: TensorCache[Made] = TensorCache(FUNCTION_CACHE_BYTES)

    @functools.wraps(make)
    def made(*arguments: Arguments.args, **options: Arguments.kwargs) -> Made:
        if is_traced():
            if exports_constants(*arguments, *options.values()):
                return exported_constant(lambda: make(*arguments, **options))
            return make(*arguments, **options)
        key = (arguments, tuple(options.items()))
        found = cache.get(key)
        if found is None:
            with plain_tensors():
                found = make(*arguments, **options)
            cache.put(key, found)
        return found

    return made


def _bytes(made: Tensor | tuple[Tensor, ...]) -> int:
    return made.nbytes if isinstance(made, Tensor) else sum(tensor.nbytes for tensor in made)
