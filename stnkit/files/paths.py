"""Paths that users pass."""

from pathlib import Path

from stnkit.errors import InputError


def as_path(name: str, value: object) -> Path:
    """A path of a string, or of any object that names a path as a string.

    Args:
        name: of the argument, for the message.
        value: of the argument.

    Raises:
        InputError: when it is anything else.

    Example:
        >>> from stnkit.files.paths import as_path
        >>> as_path("output", "runs/map.tfm").suffix
        '.tfm'
    """
    try:
        return Path(value)  # type: ignore[arg-type]
    except TypeError:
        raise InputError(f"{name}: expected a path, got {type(value).__name__}") from None
