"""The versions and the date in the record of a run."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version

# Distributions that can change the result of a run.
DISTRIBUTIONS = ("stnkit", "torch", "lightning")


def versions() -> dict[str, str]:
    """The versions that a run is computed with, by name."""
    return {name: version(name) for name in DISTRIBUTIONS} | {"python": platform.python_version()}


def now() -> str:
    """The time in seconds, as ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
