"""The plugins that a part of the program uses: of components that it builds, of loggers and of callbacks."""

import contextlib
from collections.abc import Iterator

from stnkit.plugin_system.discovery import Source

# Of the package that has the components of stnkit itself.
OWN = "stnkit"
_collecting: list[dict[str, Source]] = []


@contextlib.contextmanager
def plugins_used() -> Iterator[dict[str, Source]]:
    """A context that collects what is used in it: the sources by `kind.name`, without those of stnkit itself."""
    found: dict[str, Source] = {}
    _collecting.append(found)
    try:
        yield found
    finally:
        _collecting[:] = [each for each in _collecting if each is not found]


def tell_used(key: str, source: Source) -> None:
    """Add what is used to every context that collects.

    Args:
        key: `kind.name` of a component, `logger.name`, or that of an entry point.
        source: of it.
    """
    if source.distribution != OWN:
        for found in _collecting:
            found[key] = source
