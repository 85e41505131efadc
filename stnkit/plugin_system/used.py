"""The plugins that a part of the program uses: of components that it builds, of loggers and of callbacks."""

import contextlib
import contextvars
from collections.abc import Iterator

from stnkit.plugin_system.discovery import Source

# Of the package that has the components of stnkit itself.
OWN = "stnkit"
# Of this thread: what another one uses is not for it.
_collecting: contextvars.ContextVar[tuple[dict[str, Source], ...]] = contextvars.ContextVar("_collecting", default=())


@contextlib.contextmanager
def plugins_used() -> Iterator[dict[str, Source]]:
    """A context that collects what is used in it: the sources by `kind.name`, without those of stnkit itself."""
    found: dict[str, Source] = {}
    token = _collecting.set((*_collecting.get(), found))
    try:
        yield found
    finally:
        _collecting.reset(token)


def tell_used(key: str, source: Source) -> None:
    """Add what is used to every context that collects.

    Args:
        key: `kind.name` of a component, `logger.name`, or that of an entry point.
        source: of it.
    """
    if source.distribution != OWN:
        for found in _collecting.get():
            found[key] = source
