"""Constants of a module, made where they can be computed whatever the default device is."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch

FunctionT = TypeVar("FunctionT", bound=Callable[..., None])


def built_on_cpu(constructor: FunctionT) -> FunctionT:
    """A constructor that makes its constants on the CPU, also within `torch.device("meta")` or another default device.

    For constants that are plain attributes: nothing moves or initializes them afterwards.

    Args:
        constructor: an `__init__`.
    """

    @functools.wraps(constructor)
    def construct(*args: Any, **options: Any) -> None:
        with torch.device("cpu"):
            constructor(*args, **options)

    return construct  # type: ignore[return-value]
