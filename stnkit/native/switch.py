"""The switch that leaves the native warp out for a while."""

import contextlib
import contextvars
import threading
from collections.abc import Iterator

import stnkit.native.library as library

_off: contextvars.ContextVar[bool] = contextvars.ContextVar("stnkit_native_off", default=False)
_lock = threading.Lock()
_switches = 0
# True while any thread is inside of `disabled`: torch.compile guards on a global, but not on a context variable.
_anywhere = False


@contextlib.contextmanager
def disabled() -> Iterator[None]:
    """A context, or a decorator, in which warps of this thread take the composite path of torch's operations.

    Backward passes count by the place where they run. A function that torch.compile traces while any thread is
    inside takes the composite path, and is traced again outside.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "bilinear")
        >>> with stnkit.native.disabled():
        ...     sampler(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 1, 2)).item()
        1.0
    """
    before = _off.set(True)
    _count(1)
    try:
        yield
    finally:
        _count(-1)
        _off.reset(before)


def enabled() -> bool:
    """True if this thread is outside of `disabled`, in eager code.

    Raises:
        NativeError: when the library is required and cannot be had.
    """
    return library.kernels() is not None and not _off.get()


def enabled_in_trace() -> bool:
    """True if every thread is outside of `disabled`, by what torch.compile guards on.

    Raises:
        NativeError: when the library is required and cannot be had.
    """
    return library.kernels() is not None and not _anywhere


def _count(step: int) -> None:
    global _switches, _anywhere
    with _lock:
        _switches += step
        _anywhere = _switches > 0
