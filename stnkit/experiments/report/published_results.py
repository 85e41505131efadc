"""Published results next to those of a table. A data file beside this module holds each set and its conditions."""

import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf

from stnkit.errors import InputError
from stnkit.experiments.report.flat_config import flatten, label
from stnkit.experiments.report.runs import Run
from stnkit.experiments.report.statistic import signed
from stnkit.experiments.report.table import Table

PUBLISHED = {"paper": "paper_table1.yaml"}


@dataclass(frozen=True)
class PublishedResults:
    """A published table of results.

    Args:
        title: short, printed before each result.
        source: the publication, and how its results were obtained.
        metric: name in metrics.json of the value to compare with.
        required: values of config keys that a run needs to be compared.
        expected: values of config keys in which a compared run may differ, with a note.
        rows: name of each row, and the values of config keys that put a run into it.
        columns: likewise.
        results: by row and column, not necessarily all of them.
    """

    title: str
    source: str
    metric: str
    required: dict[str, Any]
    expected: dict[str, Any]
    rows: dict[str, dict[str, Any]]
    columns: dict[str, dict[str, Any]]
    results: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Comparison:
    """The published results for the cells of a table.

    Args:
        published: the set they are from.
        results: by (row, column) of the table.
        notes: the source, and the cells without a published result.
    """

    published: PublishedResults
    results: dict[tuple[int, int], float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def difference(self, table: Table, row: int, column: int) -> float | None:
        """Mean of the cell − published result; None where either is missing."""
        statistic = table.cells[row][column].statistic(self.published.metric)
        result = self.results.get((row, column))
        return None if statistic is None or result is None else statistic.mean - result

    def text(self, table: Table, row: int, column: int, metric: str) -> str:
        """The text for a cell, such as `the paper 0.7, +0.34`; empty where there is no published result."""
        result = self.results.get((row, column))
        if result is None or metric != self.published.metric:
            return ""
        difference = self.difference(table, row, column)
        return f"{self.published.title} {result}" + ("" if difference is None else f", {signed(difference)}")


def load_published(name: str) -> PublishedResults:
    """The published results of that name.

    Raises:
        InputError: when there are none.
    """
    if name not in PUBLISHED:
        raise InputError(f"there are no published results {name!r}; the published results are {', '.join(PUBLISHED)}")
    text = importlib.resources.files(__package__).joinpath(PUBLISHED[name]).read_text()
    values: Any = OmegaConf.to_container(OmegaConf.create(text))
    return PublishedResults(**values)


def compare(table: Table, published: PublishedResults) -> Comparison:
    """The published results for the cells of a table, including cells without runs.

    Args:
        table: of runs.
        published: results to compare with.

    Raises:
        InputError: when the table does not show the metric of the published results.
    """
    if published.metric not in table.metrics:
        raise InputError(
            f"the results of {published.title} are {published.metric}: "
            f"expected it among the values, got {', '.join(table.metrics)}"
        )
    results: dict[tuple[int, int], float] = {}
    unmatched: dict[str, list[str]] = {}
    for i, line in enumerate(table.cells):
        for j, cell in enumerate(line):
            flats = [flatten(run.job_config) for run in cell.runs] or [_missing(table, i, j)]
            row = _common_match(flats, published.rows, published.required)
            column = _common_match(flats, published.columns, published.required)
            result = published.results[row].get(column) if row and column else None
            if result is not None:
                results[i, j] = result
            elif cell.runs:
                unmatched.setdefault(_reason(published, row, column, flats[0]), []).append(table.cell_title(i, j))
    notes = [f"{published.title}: {published.source}"]
    notes += [f"{published.title} has no result for {'; '.join(cells)}: {why}" for why, cells in unmatched.items()]
    notes += _unexpected([table.cells[i][j].runs for i, j in results], published)
    return Comparison(published, results, notes)


def _missing(table: Table, row: int, column: int) -> dict[str, Any]:
    """The flat config of an empty cell: that of a run in its row, with the groups of the columns from its column."""
    of_row = next(flatten(run.job_config) for cell in table.cells[row] for run in cell.runs)
    of_column = next(flatten(run.job_config) for line in table.cells for run in line[column].runs)
    groups = {key.split(".")[0] for key in table.axes.columns}
    own = {key: value for key, value in of_row.items() if key.split(".")[0] not in groups}
    return own | {key: value for key, value in of_column.items() if key.split(".")[0] in groups}


def _common_match(
    flats: Sequence[dict[str, Any]], entries: Mapping[str, dict[str, Any]], required: dict[str, Any]
) -> str | None:
    """The row or column that all of the configs match, or None."""
    names = {_match(flat, entries, required) for flat in flats}
    return names.pop() if len(names) == 1 else None


def _match(flat: dict[str, Any], entries: Mapping[str, dict[str, Any]], required: dict[str, Any]) -> str | None:
    for name, conditions in entries.items():
        if all(key not in flat or flat[key] in _allowed(value) for key, value in (required | conditions).items()):
            return name
    return None


def _allowed(condition: Any) -> list[Any]:
    """The values that a condition allows: one, or the list of `{any: [...]}`."""
    return condition["any"] if isinstance(condition, dict) else [condition]


def _reason(published: PublishedResults, row: str | None, column: str | None, flat: dict[str, Any]) -> str:
    if row and column:
        return f"it does not report {row} on {column}"
    entries = published.rows if row is None else published.columns
    keys = dict.fromkeys(key for conditions in entries.values() for key in conditions if key in flat)
    return "it does not report " + ", ".join(f"{key}={label(flat, key)}" for key in keys)


def _unexpected(cells: Sequence[Sequence[Run]], published: PublishedResults) -> list[str]:
    flats = [flatten(run.job_config) for runs in cells for run in runs]
    notes = []
    for key, value in published.expected.items():
        usual = _allowed(value)
        others = sorted({label(flat, key) for flat in flats if flat.get(key, usual[0]) not in usual})
        if others:
            notes.append(
                f"not directly comparable: {published.title} uses {key}={' or '.join(map(str, usual))}, "
                f"these runs use {', '.join(others)}"
            )
    return notes
