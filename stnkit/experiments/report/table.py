"""Runs as a table of cells: mean ± standard deviation over seeds, with missing and unfinished runs visible."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from stnkit.errors import InputError
from stnkit.experiments.report.axes import Axes, choose_axes
from stnkit.experiments.report.flat_config import ABSENT, flatten, identity, is_group, label
from stnkit.experiments.report.quantities import Quantity, with_unit
from stnkit.experiments.report.runs import Run, Status, metrics_of, primary_figures, quantity_in
from stnkit.experiments.report.statistic import Statistic, number
from stnkit.experiments.run_directory.job_list import Job

NO_RUN = "—"
NO_VALUE = "n/a"


@dataclass(frozen=True)
class Cell:
    """The runs of one row and column, which normally differ in their seed alone.

    Args:
        runs: all of them, completed or not; none where the cell is empty.
        n_seeds: number of seeds in the whole table, so that missing seeds can be shown.
    """

    runs: tuple[Run, ...]
    n_seeds: int

    def statistic(self, metric: str) -> Statistic | None:
        """Mean and standard deviation over the completed runs that have the metric; None without such a run."""
        values = [value for run in self.runs if (value := run.value(metric)) is not None]
        if not values:
            return None
        return Statistic(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None, len(values))

    def count(self, status: Status) -> int:
        """The number of runs with that status."""
        return sum(run.status is status for run in self.runs)

    def undefined(self, metric: str) -> tuple[str, ...]:
        """The reasons, each once, that completed runs have recorded for having no such value."""
        return tuple(dict.fromkeys(reason for run in self.runs if (reason := run.undefined(metric))))

    def text(self, metric: str, no_value: str = NO_VALUE) -> str:
        """The cell as text, such as `1.04 ± 0.12 (2/3), 1 failed` for two completed runs of three seeds.

        Args:
            metric: name of the value.
            no_value: text for completed runs without it.
        """
        if not self.runs:
            return NO_RUN
        texts = []
        statistic = self.statistic(metric)
        if statistic is not None:
            seeds = {repr(run.seed) for run in self.runs if run.value(metric) is not None}
            n = str(statistic.n) if len(seeds) == self.n_seeds else f"{len(seeds)}/{self.n_seeds}"
            kind = quantity_in(self.runs, metric)
            texts.append(f"{number(statistic, kind.resolution, kind.digits)} ({n})")
        elif self.count(Status.completed):
            texts.append(no_value)
        texts += [
            f"{self.count(status)} {status}"
            for status in (Status.failed, Status.interrupted, Status.running, Status.died)
            if self.count(status)
        ]
        return ", ".join(texts)


@dataclass(frozen=True)
class Table:
    """Rows by columns of cells.

    Args:
        axes: the keys of both.
        rows: label of each row, one text for each key.
        columns: label of each column, likewise; one empty one where there are no column keys.
        cells: by row and column.
        metrics: names of the values to show in each cell.
        broken: runs whose record cannot be read; each is printed as a row of its own.
        not_begun: jobs of the sweeps that have no record.
    """

    axes: Axes
    rows: list[tuple[str, ...]]
    columns: list[tuple[str, ...]]
    cells: list[list[Cell]]
    metrics: list[str]
    broken: list[Run]
    not_begun: list[Job] = field(default_factory=list)

    @property
    def runs(self) -> list[Run]:
        """The runs of all cells."""
        return [run for line in self.cells for cell in line for run in cell.runs]

    def quantity(self, metric: str) -> Quantity:
        """The kind of a number in the records."""
        return quantity_in(self.runs, metric)

    def with_unit(self, metric: str) -> str:
        """A number's name with its unit."""
        return with_unit(metric, self.quantity(metric))

    @property
    def n_seeds(self) -> int:
        """The number of seeds in the table."""
        return max((cell.n_seeds for line in self.cells for cell in line), default=0)

    def cell_title(self, row: int, column: int) -> str:
        """The label of a cell in one line."""
        return ", ".join(filter(None, (self.row_title(row), self.column_title(column))))

    def row_title(self, row: int) -> str:
        """The label of a row in one line."""
        return _title(self.axes.rows, self.rows[row]) or "all runs"

    def column_title(self, column: int) -> str:
        """The label of a column in one line; empty where there are no column keys."""
        return _title(self.axes.columns, self.columns[column])


def make_table(
    runs: Sequence[Run],
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    not_begun: Sequence[Job] = (),
) -> Table:
    """The table of runs by the config keys in which they differ.

    Args:
        runs: as found.
        rows: config keys or names of groups; None to choose them.
        columns: likewise.
        metrics: names of numbers in the record; a dotted name is a path into mappings. None for the primary figures of
            the runs in the test.
        not_begun: jobs of the sweeps that have no record.

    Raises:
        InputError: when no run has such a key or metric.
    """
    known = [run for run in runs if run.status is not Status.broken]
    if metrics is None:
        # A sweep that has just started has none of them yet, so they are not checked.
        metrics = [f"test_{figure.name}" for figure in primary_figures(known)]
    else:
        _check_metrics(known, metrics)
    flats = [flatten(run.job_config) for run in known]
    axes = choose_axes(flats, rows, columns)
    row_keys, row_labels = _values(flats, axes.rows)
    column_keys, column_labels = _values(flats, axes.columns)
    n_seeds = len({repr(run.seed) for run in known})
    cells = [[Cell((), n_seeds) for _ in column_labels] for _ in row_labels]
    for run, flat in zip(known, flats, strict=True):
        i = row_keys.index(_identities(flat, axes.rows))
        j = column_keys.index(_identities(flat, axes.columns))
        cells[i][j] = Cell((*cells[i][j].runs, run), n_seeds)
    broken = [run for run in runs if run.status is Status.broken]
    return Table(axes, row_labels, column_labels, cells, list(metrics), broken, list(not_begun))


def _check_metrics(runs: Sequence[Run], metrics: Sequence[str]) -> None:
    completed = [run for run in runs if run.status is Status.completed]
    defaults = [f"test_{figure.name}" for figure in primary_figures(runs)]
    for metric in metrics:
        known = any(run.value(metric) is not None or run.undefined(metric) for run in completed)
        if completed and metric not in defaults and not known:
            raise InputError(
                f"no completed run has a metric {metric!r}; the metrics are {', '.join(metrics_of(completed))}"
            )


def _values(flats: list[dict[str, Any]], keys: Sequence[str]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Identities and labels of the values that occur: numbers ascending, others in the order of the runs."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for flat in flats:
        found.setdefault(_identities(flat, keys), flat)
    ranks = [_ranks(flats, key) for key in keys]
    order = sorted(found, key=lambda values: [rank[value] for rank, value in zip(ranks, values, strict=True)])
    return order, [tuple(label(found[values], key) for key in keys) for values in order]


def _identities(flat: dict[str, Any], keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(identity(flat, key) for key in keys)


def _ranks(flats: list[dict[str, Any]], key: str) -> dict[str, int]:
    values = dict.fromkeys(identity(flat, key) for flat in flats)
    numbers = {identity(flat, key): flat[key] for flat in flats if isinstance(flat.get(key), int | float)}
    order = sorted(values, key=lambda value: (value in numbers, numbers.get(value, 0)))
    return {value: rank for rank, value in enumerate(order)}


def _title(keys: Sequence[str], labels: Sequence[str]) -> str:
    """Names of components alone and options as option=value, with the whole key where `option` is ambiguous."""
    last = Counter(key.rpartition(".")[2] for key in keys)
    named = {key: key.rpartition(".")[2] if last[key.rpartition(".")[2]] == 1 else key for key in keys}
    present = [(key, text) for key, text in zip(keys, labels, strict=True) if text != ABSENT]
    if not present:
        return " · ".join(f"no {named[key]}" for key in keys)
    return " · ".join(text if is_group(key) else f"{named[key]}={text}" for key, text in present)
