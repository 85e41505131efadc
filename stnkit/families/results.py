"""Checks of what the methods and hooks of a family give, which its author writes."""

from typing import Any

from torch import Tensor

from stnkit.errors import InputError
from stnkit.portable import is_scripted


def check_result(family: object, method: str, result: object, expected: tuple[Any, ...]) -> None:
    """Raise an InputError unless a result is a real floating-point tensor of a shape.

    Args:
        family: whose method it is.
        method: its name.
        result: what it gives.
        expected: its shape, the batch first; in a trace of symbols.

    Raises:
        InputError: when it is anything else, in one sentence with the class and the method.
    """
    if not isinstance(result, Tensor):
        raise _refused(family, method, expected, type(result).__name__)
    shape = tuple(result.shape)
    # Sizes are tensors under torch.jit.trace; a wrong batch is told in eager mode.
    first = 1 if is_scripted() else 0
    if len(shape) != len(expected) or shape[first:] != expected[first:]:
        raise _refused(family, method, expected, list(shape))
    if not result.is_floating_point():
        raise InputError(f"{type(family).__name__}.{method}: expected a floating-point tensor, got {result.dtype}")


def _refused(family: object, method: str, expected: tuple[Any, ...], got: object) -> InputError:
    return InputError(f"{type(family).__name__}.{method}: expected shape {list(expected)}, got {got}")
