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

    Example:
        >>> import torch, stnkit
        >>> class Basis:
        ...     @stnkit.coordinates.built_on_cpu
        ...     def __init__(self):
        ...         self.centers = torch.zeros(4)
        >>> with torch.device("meta"):
        ...     basis = Basis()
        >>> basis.centers.device
        device(type='cpu')
    """

    @functools.wraps(constructor)
    def construct(*args: Any, **options: Any) -> None:
        with torch.device("cpu"):
            constructor(*args, **options)

    return construct  # type: ignore[return-value]
