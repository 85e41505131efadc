"""Levels of the loggers of other libraries."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def quieter(level: int, *names: str) -> Iterator[None]:
    """A context in which loggers tell nothing below a level.

    Args:
        level: of `logging`.
        names: of the loggers.

    Example:
        >>> import logging
        >>> from stnkit.logging_levels import quieter
        >>> with quieter(logging.ERROR, "a.library"):
        ...     logging.getLogger("a.library").warning("advice")
    """
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, before in zip(loggers, levels, strict=True):
            logger.setLevel(before)
