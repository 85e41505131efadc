"""Published figures beside a table. The figures, and what a run has to be to match one, are data files here."""

import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import OmegaConf

from stnkit.errors import InputError
from stnkit.experiments.report.flat_config import flatten, label
from stnkit.experiments.report.runs import Run
from stnkit.experiments.report.table import Table

REFERENCES = {"paper": "paper_table1.yaml"}


@dataclass(frozen=True)
class Reference:
    """A published table.

    Args:
        title: short, as it stands beside a figure.
        source: where it was published, and how its figures were obtained.
        metric: of our record, which the figures are to be compared with.
        everywhere: values of keys that every compared run has.
        expected: values of keys whose difference is told, but compared all the same.
        rows: name of each row, and the values of keys that make a run one of it.
        columns: likewise.
        figures: by row and column; not every one is there.
    """

    title: str
    source: str
    metric: str
    everywhere: dict[str, Any]
    expected: dict[str, Any]
    rows: dict[str, dict[str, Any]]
    columns: dict[str, dict[str, Any]]
    figures: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Comparison:
    """The figures of a reference that belong to the cells of a table.

    Args:
        reference: whose figures they are.
        figures: by (row, column) of the table.
        notes: the source, and what is not comparable.
    """

    reference: Reference
    figures: dict[tuple[int, int], float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def difference(self, table: Table, row: int, column: int) -> float | None:
        """Ours − theirs; None where one of them is missing."""
        statistic = table.cells[row][column].statistic(self.reference.metric)
        figure = self.figures.get((row, column))
        return None if statistic is None or figure is None else statistic.mean - figure

    def text(self, table: Table, row: int, column: int, metric: str) -> str:
        """`the paper 0.7, +0.34`; empty where there is nothing to compare."""
        figure = self.figures.get((row, column))
        if figure is None or metric != self.reference.metric:
            return ""
        difference = self.difference(table, row, column)
        return f"{self.reference.title} {figure}" + ("" if difference is None else f", {signed(difference)}")


def signed(difference: float) -> str:
    """A difference with its sign: +0.34, −0.10."""
    return f"{difference:+.2f}".replace("-", "−")


def load_reference(name: str) -> Reference:
    """The published table of that name.

    Raises:
        InputError: when there is none.
    """
    if name not in REFERENCES:
        raise InputError(f"there are no figures of {name!r} to set beside the runs; there are {', '.join(REFERENCES)}")
    text = importlib.resources.files(__package__).joinpath(REFERENCES[name]).read_text()
    values: Any = OmegaConf.to_container(OmegaConf.create(text))
    return Reference(**values)


def compare(table: Table, reference: Reference) -> Comparison:
    """The reference's figures for the cells of a table, also for those that have no runs.

    Args:
        table: of runs.
        reference: a published table.

    Raises:
        InputError: when the table does not show the metric of the reference.
    """
    if reference.metric not in table.metrics:
        raise InputError(
            f"{reference.title}'s figures are {reference.metric}, which is not among the values {table.metrics}"
        )
    figures: dict[tuple[int, int], float] = {}
    unmatched: dict[str, list[str]] = {}
    for i, line in enumerate(table.cells):
        for j, cell in enumerate(line):
            flats = [flatten(run.config) for run in cell.runs] or [_missing(table, i, j)]
            row = _agreed(flats, reference.rows, reference.everywhere)
            column = _agreed(flats, reference.columns, reference.everywhere)
            figure = reference.figures[row].get(column) if row and column else None
            if figure is not None:
                figures[i, j] = figure
            elif cell.runs:
                where = ", ".join(filter(None, (table.row_title(i), table.column_title(j))))
                unmatched.setdefault(_why(reference, row, column, flats[0]), []).append(where)
    told = [f"{reference.title}: {reference.source}"]
    told += [f"no figure of {reference.title} for {'; '.join(cells)}: {why}" for why, cells in unmatched.items()]
    told += _unexpected([table.cells[i][j].runs for i, j in figures], reference)
    return Comparison(reference, figures, told)


def _missing(table: Table, row: int, column: int) -> dict[str, Any]:
    """What a run of an empty cell would be: one of its row, with what makes the column from one of that."""
    of_row = next(flatten(run.config) for cell in table.cells[row] for run in cell.runs)
    of_column = next(flatten(run.config) for line in table.cells for run in line[column].runs)
    groups = {key.split(".")[0] for key in table.axes.columns}
    own = {key: value for key, value in of_row.items() if key.split(".")[0] not in groups}
    return own | {key: value for key, value in of_column.items() if key.split(".")[0] in groups}


def _agreed(
    flats: Sequence[dict[str, Any]], entries: Mapping[str, dict[str, Any]], everywhere: dict[str, Any]
) -> str | None:
    """The entry that all of the configs are of."""
    names = {_matching(flat, entries, everywhere) for flat in flats}
    return names.pop() if len(names) == 1 else None


def _matching(flat: dict[str, Any], entries: Mapping[str, dict[str, Any]], everywhere: dict[str, Any]) -> str | None:
    for name, conditions in entries.items():
        if all(key not in flat or flat[key] in _allowed(value) for key, value in (everywhere | conditions).items()):
            return name
    return None


def _allowed(condition: Any) -> list[Any]:
    """`{any: [...]}` in a data file allows several values."""
    return condition["any"] if isinstance(condition, dict) else [condition]


def _why(reference: Reference, row: str | None, column: str | None, flat: dict[str, Any]) -> str:
    if row and column:
        return f"{row} on {column} is not in it"
    entries = reference.rows if row is None else reference.columns
    keys = dict.fromkeys(key for conditions in entries.values() for key in conditions if key in flat)
    return "it has no " + ", ".join(f"{key}={label(flat, key)}" for key in keys)


def _unexpected(cells: Sequence[Sequence[Run]], reference: Reference) -> list[str]:
    flats = [flatten(run.config) for runs in cells for run in runs]
    told = []
    for key, value in reference.expected.items():
        others = sorted({label(flat, key) for flat in flats if flat.get(key, value) != value})
        if others:
            told.append(
                f"not the same data: {reference.title} has {key} {value}, and runs here have {', '.join(others)}"
            )
    return told
