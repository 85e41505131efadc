"""Damage in a record that is JSON: what the report computes with and cannot."""

from collections.abc import Iterator, Mapping
from typing import Any

from stnkit.experiments.run_directory.config_in_json import config_as_json
from stnkit.finite_numbers import is_finite


def damage(record: Mapping[str, Any]) -> str:
    """The first value that is not of the form in which a run records it, or an empty text.

    Args:
        record: the content of metrics.json.
    """
    figures = record.get("figures") or {}
    if not isinstance(figures, Mapping):
        return f"figures: expected a mapping, got {figures!r}"
    for name, figure in figures.items():
        if not isinstance(figure, Mapping):
            return f"figures.{name}: expected a mapping, got {figure!r}"
    recorded = {**record, "config": config_as_json(record.get("config"))}  # an option may be infinite
    return next((f"{name}: expected a finite number" for name in _not_finite(recorded)), "")


def _not_finite(value: Any, name: str = "") -> Iterator[str]:
    """The dotted names of numbers that are infinite, NaN, or too large for a float; a run records null for them."""
    if isinstance(value, Mapping):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        if isinstance(value, int | float) and not is_finite(value):
            yield name
        return
    for key, inner in items:
        yield from _not_finite(inner, f"{name}.{key}" if name else str(key))
