"""Parameters that were renamed: the old keyword works for this version, with a warning."""

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

from stnkit.errors import RenamedWarning

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


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
                warnings.warn(f"{function.__name__}: the parameter {old} is now {new}", RenamedWarning, stacklevel=2)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate
