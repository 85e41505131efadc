"""The errors and warnings of stnkit. A message is one sentence: `expected …, got …`.

The command line prints an error without a traceback and ends with exit code 2.
"""

from typing import ClassVar


class StnkitError(Exception):
    """The base of all errors that stnkit raises on purpose.

    Attributes:
        is_users: True for a mistake of the user: a sweep with no other failures ends with exit code 2.
    """

    is_users: ClassVar[bool] = True


class InputError(StnkitError, ValueError):
    """An argument, an option or a configuration is not of the expected form."""


class PluginError(StnkitError):
    """A plugin cannot be used: it is broken, blocked, or clashes with another."""


class UnknownNameError(InputError):
    """No component of that kind has that name."""


class DataError(StnkitError):
    """Data on disk is missing, incomplete or altered."""


class NotInstalledError(StnkitError):
    """A library that a component needs is not installed, or cannot be imported."""


class CheckpointError(StnkitError):
    """A checkpoint is missing, cut short, or belongs to another run."""


class NotFiniteError(StnkitError, ArithmeticError):
    """A loss, a θ or a weight became NaN or infinite during training."""


class DoesNotComposeError(StnkitError, NotImplementedError):
    """The composition of two maps of this family is not in the family."""


class ExportError(StnkitError):
    """A network cannot be exported, or the exported file does not compute the network's outputs."""


class NativeError(StnkitError):
    """The native warp is required and cannot be had."""


class RenamedWarning(FutureWarning):
    """A name of plugin API 1 was used: it works in this version, and the warning names its successor."""


def retold(error: StnkitError, message: str) -> StnkitError:
    """The same error with another message.

    It is not made anew, since the class of a plugin's error may take other arguments than a message.

    Args:
        error: any of ours.
        message: that it has from now on.

    Example:
        >>> from stnkit.errors import InputError, retold
        >>> class TooFewError(InputError):
        ...     def __init__(self, n: int) -> None:
        ...         super().__init__(f"expected 3, got {n}")
        >>> retold(TooFewError(2), "points: expected 3, got 2")
        TooFewError('points: expected 3, got 2')
    """
    error.args = (message,)
    return error


def first_line(error: BaseException, *, typed: bool = False) -> str:
    """The first line of the message of an error, or its type where there is none.

    Args:
        error: any.
        typed: True for its type in front of the line.

    Example:
        >>> from stnkit.errors import first_line
        >>> first_line(ValueError("no number")), first_line(KeyError()), first_line(ValueError("no number"), typed=True)
        ('no number', 'KeyError', 'ValueError: no number')
    """
    line = next((line for line in map(str.strip, str(error).splitlines()) if line), "")
    if typed or not line:
        return f"{type(error).__name__}: {line}" if line else type(error).__name__
    return line


def one_line(error: BaseException, limit: int | None = None) -> str:
    """The message of an error without line breaks, and with its type unless it is one of ours.

    Args:
        error: any.
        limit: number of characters after which the message is cut; None for all of it.
    """
    text = " ".join(str(error).split())
    if limit is not None and len(text) > limit:
        text = f"{text[:limit]}…"
    if isinstance(error, StnkitError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
