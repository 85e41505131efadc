"""The config keys of rows and columns: a minimal set that distinguishes all cells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stnkit.errors import InputError
from stnkit.experiments.report.flat_config import GROUPS, PLACEMENT, TRANSFORM, checked_key, identity

# Keys of the task, which papers print as columns.
ACROSS = ("distortion", "dataset")
# Both say "none" for a network without transformers.
OF_NONE = (PLACEMENT, TRANSFORM)


@dataclass(frozen=True)
class Axes:
    """Keys of the rows and columns, and the other keys that vary.

    Args:
        rows: keys.
        columns: keys.
        following: keys that vary and are determined by row and column, without options that follow from the name of
            their component.
        mixed: keys in which runs of one cell differ, likewise.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    following: tuple[str, ...]
    mixed: tuple[str, ...]


def choose_axes(
    flats: list[dict[str, Any]], rows: Sequence[str] | None = None, columns: Sequence[str] | None = None
) -> Axes:
    """The given axes, and for the rest a minimal set of keys that distinguishes all cells.

    The name of a component comes before its options: an option is an axis only where one name has several values.

    Args:
        flats: the flat config of each run.
        rows: keys; None to choose them.
        columns: keys; None to choose them.

    Raises:
        InputError: when a key does not exist, or is given twice.
    """
    given = [checked_key(name, flats) for name in (*(rows or ()), *(columns or ()))]
    for key in given:
        if given.count(key) > 1:
            raise InputError(f"{key!r} is given more than once as a row or column")
    varying = [key for key in _in_order(flats) if len({identity(flat, key) for flat in flats}) > 1]
    n_rows = len(rows or ())
    chosen_rows, chosen_columns = tuple(given[:n_rows]), tuple(given[n_rows:])
    if rows is None or columns is None:
        rest = _distinguishing(flats, _informative(flats, varying), given)
        if rows is not None:
            chosen_columns = tuple(rest)
        elif columns is not None:
            chosen_rows = tuple(rest)
        else:
            chosen_columns = _across(flats, rest)
            chosen_rows = tuple(key for key in rest if key not in chosen_columns)
    axes = (*chosen_rows, *chosen_columns)
    others = [
        key
        for key in varying
        if key not in axes and _varies_within_its_group(flats, key) and not _follows_from_none(flats, key, axes)
    ]
    mixed = tuple(key for key in others if _n_cells(flats, [*axes, key]) > _n_cells(flats, axes))
    return Axes(chosen_rows, chosen_columns, tuple(key for key in others if key not in mixed), mixed)


def _informative(flats: list[dict[str, Any]], varying: list[str]) -> list[str]:
    """The varying keys without the placement, where the transform says the same and more."""
    transformed = [flat for flat in flats if flat.get(PLACEMENT) != []]
    redundant = _n_cells(transformed, [PLACEMENT]) == 1 and _n_cells(transformed, [TRANSFORM]) > 1
    return [key for key in varying if not (redundant and key == PLACEMENT)]


def _distinguishing(flats: list[dict[str, Any]], varying: list[str], given: Sequence[str]) -> list[str]:
    """Keys that, together with the given ones, distinguish all cells; none of them is redundant."""
    chosen: list[str] = []
    for key in varying:
        if _n_cells(flats, [*given, *chosen, key]) > _n_cells(flats, [*given, *chosen]):
            chosen.append(key)
    for key in reversed(chosen.copy()):
        rest = [other for other in chosen if other != key]
        if any(other.startswith(f"{key}.") for other in rest):
            continue  # an option is ambiguous without the name of its component
        if _n_cells(flats, [*given, *rest]) == _n_cells(flats, [*given, *chosen]):
            chosen = rest
    return chosen


def _across(flats: list[dict[str, Any]], keys: list[str]) -> tuple[str, ...]:
    """The one key of the columns: the task, else the key with the fewest values; none if there is only one key."""
    if len(keys) < 2:
        return ()
    for key in ACROSS:
        if key in keys:
            return (key,)
    return (min(reversed(keys), key=lambda key: _n_cells(flats, [key])),)


def _varies_within_its_group(flats: list[dict[str, Any]], key: str) -> bool:
    having = [flat for flat in flats if key in flat]
    group = [key.split(".")[0]] if key not in GROUPS else []
    return _n_cells(having, [*group, key]) > max(1, _n_cells(having, group))


def _follows_from_none(flats: list[dict[str, Any]], key: str, axes: Sequence[str]) -> bool:
    """True if a key differs only between networks with and without transformers, which the axes show."""
    if key not in OF_NONE or not set(OF_NONE) & set(axes):
        return False
    return _n_cells([flat for flat in flats if flat.get(PLACEMENT) != []], [key]) < 2


def _n_cells(flats: list[dict[str, Any]], keys: Sequence[str]) -> int:
    return len({tuple(identity(flat, key) for key in keys) for flat in flats})


def _in_order(flats: list[dict[str, Any]]) -> list[str]:
    """Groups, then keys of the application in the order of the config, then options of components."""
    keys = list(dict.fromkeys(key for flat in flats for key in flat))
    options = [key for key in keys if key.split(".")[0] in GROUPS and key not in GROUPS]
    return [
        *(key for key in GROUPS if key in keys),
        *(key for key in keys if key not in GROUPS and key not in options),
        *options,
    ]
