"""The metadata of an exported file: JSON values under names that start with `stnkit.`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from stnkit.errors import InputError

PREFIX = "stnkit."


def encoded(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Names and values as a file holds them.

    Args:
        metadata: plain values by name, without the prefix.

    Raises:
        InputError: when JSON has no form for a value.

    Example:
        >>> from stnkit.exporting.metadata import decoded, encoded
        >>> encoded({"classes": ["cat", "dog"]})
        {'stnkit.classes': '["cat", "dog"]'}
        >>> decoded(encoded({"classes": ["cat", "dog"]}).items())
        {'classes': ['cat', 'dog']}
    """
    try:
        return {f"{PREFIX}{name}": json.dumps(value) for name, value in metadata.items()}
    except (TypeError, ValueError) as error:  # ValueError: a list that holds itself
        raise InputError(f"metadata: expected values of JSON, got others: {error}") from error


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
