"""The metadata of an exported file: JSON values under names that start with `stnkit.`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

PREFIX = "stnkit."


def encoded(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Names and values as a file holds them.

    Args:
        metadata: plain values by name, without the prefix.

    Example:
        >>> from stnkit.exporting.metadata import decoded, encoded
        >>> encoded({"classes": ["cat", "dog"]})
        {'stnkit.classes': '["cat", "dog"]'}
        >>> decoded(encoded({"classes": ["cat", "dog"]}).items())
        {'classes': ['cat', 'dog']}
    """
    return {f"{PREFIX}{name}": json.dumps(value) for name, value in metadata.items()}


def decoded(entries: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The values of stnkit among the entries of a file, by name without the prefix; no JSON is left out.

    Args:
        entries: names and values as the file holds them.
    """
    found = {}
    for name, value in entries:
        if name.startswith(PREFIX):
            try:
                found[name.removeprefix(PREFIX)] = json.loads(value)
            except ValueError:
                continue
    return found
