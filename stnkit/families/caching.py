"""A byte-bounded cache of constant tensors, safe under autograd, vmap and torch.compile."""

import contextlib
import functools
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar

import torch
from torch import Tensor
from torch._guards import detect_fake_mode
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

# What one function keeps.
KEPT_BYTES = 16 * 2**20

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made", Tensor, tuple[Tensor, ...])


def is_traced() -> bool:
    """Whether what is computed now is no real tensor, so that nothing is to be taken from a memory or kept."""
    if torch.compiler.is_compiling():
        return True
    # Asked for first, as it costs nothing: counters of operations are such modes too, over real tensors.
    return is_in_torch_dispatch_mode() and detect_fake_mode() is not None


@contextlib.contextmanager
def plain_tensors() -> Iterator[None]:
    """What is made here is a plain tensor without a gradient, whatever the caller's function is transformed by."""
    # One from inference mode would break a later backward pass, one of torch.func the next call of it.
    with torch.inference_mode(False), torch.no_grad(), torch._C._DisableFuncTorch():
        yield


# Every cache of this process, for `clear_caches`.
_caches: "weakref.WeakSet[TensorCache[Any]]" = weakref.WeakSet()


def clear_caches() -> None:
    """Drop every cached tensor of this process: bases of families and constants of grids.

    They are computed again where they are needed. For a program that must return memory, or a test.
    """
    for cache in list(_caches):
        cache.clear()


class TensorCache(Generic[Made]):
    """Tensors by what they were made from, bounded in bytes; a copy or a pickle of the cache is empty.

    The least recently used go first. One that is larger than the bound by itself is not kept.

    Args:
        max_bytes: what all of them together may take.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, Made] = OrderedDict()
        self._lock = threading.Lock()
        _caches.add(self)

    def clear(self) -> None:
        """Drop all entries."""
        with self._lock:
            self._entries.clear()

    def admits(self, n_bytes: int) -> bool:
        """Whether something of that many bytes can be kept at all."""
        return n_bytes <= self.max_bytes

    def get(self, key: Hashable) -> Made | None:
        """What was made from the key, or None."""
        if torch.compiler.is_compiling():
            # A traced program must not change what it was traced from.
            return self._entries.get(key)
        if is_traced():
            return None
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
        return found

    def put(self, key: Hashable, made: Made) -> None:
        """Keep what was made, and forget the longest unused until all fit."""
        if is_traced() or not self.admits(_bytes(made)):
            return
        with self._lock:
            self._entries[key] = made
            n_bytes = sum(map(_bytes, self._entries.values()))
            while n_bytes > self.max_bytes:
                _, oldest = self._entries.popitem(last=False)
                n_bytes -= _bytes(oldest)

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> tuple[type["TensorCache[Made]"], tuple[int]]:
        return type(self), (self.max_bytes,)


def cached(make: Callable[Arguments, Made]) -> Callable[Arguments, Made]:
    """The function, which makes a tensor or some from sizes, dtype and device, with its last results kept: up to 16 MB.

    What is traced or compiled makes its own. Nobody may change a result in place.

    Args:
        make: of hashable arguments, and without a gradient to anything.
    """
    cache: TensorCache[Made] = TensorCache(KEPT_BYTES)

    @functools.wraps(make)
    def made(*arguments: Arguments.args, **options: Arguments.kwargs) -> Made:
        if is_traced():
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
