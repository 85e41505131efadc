"""The errors and warnings of stnkit. A message is one sentence: `expected …, got …`.

The command line prints an error without a traceback and ends with exit code 2.
"""


class StnkitError(Exception):
    """The base of all errors that stnkit raises on purpose."""


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
