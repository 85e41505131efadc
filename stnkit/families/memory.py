"""What is made once and kept: plain tensors only, whatever the program that asks for them first."""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import ParamSpec, TypeVar

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
def to_be_kept() -> Iterator[None]:
    """What is made here is a plain tensor without a gradient, whatever the caller's function is transformed by."""
    # One from inference mode would break a later backward pass, one of torch.func the next call of it.
    with torch.inference_mode(False), torch.no_grad(), torch._C._DisableFuncTorch():
        yield


def kept(make: Callable[Arguments, Made]) -> Callable[Arguments, Made]:
    """The function, which makes a tensor or some from sizes, dtype and device, with its last results kept: up to 16 MB.

    What is traced or compiled makes its own. Nobody may change a result in place.

    Args:
        make: of hashable arguments by position, and without a gradient to anything.
    """
    entries: dict[tuple[object, ...], Made] = {}
    lock = threading.Lock()

    @functools.wraps(make)
    def made(*arguments: Arguments.args, **none: Arguments.kwargs) -> Made:
        if is_traced():
            return make(*arguments, **none)
        found = entries.get(arguments)
        if found is not None:
            return found
        with to_be_kept():
            result = make(*arguments, **none)
        with lock:
            entries[arguments] = result
            while sum(map(_bytes, entries.values())) > KEPT_BYTES:
                # The oldest first, and one that is larger by itself at once.
                del entries[next(iter(entries))]
        return result

    return made


def _bytes(result: Tensor | tuple[Tensor, ...]) -> int:
    # Something for the entry itself, or there could be as many as one likes of the smallest.
    return 1024 + (result.nbytes if isinstance(result, Tensor) else sum(tensor.nbytes for tensor in result))
