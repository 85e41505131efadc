"""Names of plugin API 1: they work in this version, and a module that uses one is told once what to write instead."""

import contextlib
import contextvars
import functools
import inspect
import warnings
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

from stnkit.errors import InputError, RenamedWarning

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_told: set[tuple[str, str]] = set()
_collector: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("_collector", default=None)


def tell_renamed(sentence: str, module: str = "") -> None:
    """Warn a module, once in a process, that a name it uses has a new one.

    Args:
        sentence: says what is now what.
        module: whose name it is; by default that of the nearest caller outside stnkit.

    Raises:
        RenamedWarning: where warnings are errors.
    """
    caller = _caller_outside_stnkit()
    module = module or caller.f_globals.get("__name__", "?")
    # torch.jit and `inspect` read every attribute there is.
    if (module, sentence) in _told or module.partition(".")[0] in ("torch", "inspect"):
        return
    _told.add((module, sentence))
    collector = _collector.get()
    if collector is not None:
        collector.append(sentence)
    else:
        warnings.warn_explicit(
            f"{sentence} (in {module})", RenamedWarning, caller.f_code.co_filename, caller.f_lineno, module
        )


@contextlib.contextmanager
def renames_collected() -> Iterator[list[str]]:
    """Collects what would be told, for one sentence about a whole plugin."""
    renamed: list[str] = []
    token = _collector.set(renamed)
    try:
        yield renamed
    finally:
        _collector.reset(token)


def tell_plugin(plugin: str, renamed: list[str]) -> None:
    """Warn a plugin about all that was collected while it was loaded; nothing where that is nothing.

    Args:
        plugin: its name in the sentence.
        renamed: sentences.

    Raises:
        RenamedWarning: where warnings are errors.
    """
    if renamed:
        told = "; ".join(dict.fromkeys(renamed))
        warnings.warn(f"{plugin} is written for plugin API 1 and works for now: {told}", RenamedWarning, stacklevel=3)


def renamed_parameter(old: str, new: str) -> Callable[[FunctionT], FunctionT]:
    """A decorator that accepts the keyword `old` for the parameter `new`.

    Args:
        old: the name in plugin API 1.
        new: the name now.
    """

    def decorate(function: FunctionT) -> FunctionT:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            if old in kwargs:
                tell_renamed(f"{function.__name__}: the parameter {old} is now {new}")
                if new in kwargs:
                    raise InputError(f"{function.__name__}: expected {new}, got both {new} and its old name {old}")
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def _caller_outside_stnkit() -> FrameType:
    frame = inspect.currentframe()
    assert frame is not None
    # Between the two: abc makes a class, jaxtyping checks shapes.
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] in ("stnkit", "abc", "jaxtyping"):
        frame = frame.f_back
    return frame
