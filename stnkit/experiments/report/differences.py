"""Differences between runs that stand side by side and are neither its row nor its column: one warning each."""

from collections import Counter

from stnkit.experiments.report.flat_config import flatten, label
from stnkit.experiments.report.runs import Run
from stnkit.experiments.report.table import Table
from stnkit.experiments.run_directory.recorded_plugins import packages_in
from stnkit.listed import listed

SHOWN = 4
# Options of run control that change the time a run takes, and not its results.
OF_TIMES = ("training.accelerator", "training.devices", "training.strategy")
TIMES = ("seconds", "images_per_second")


def differences(table: Table) -> list[str]:
    """One warning for each, with the values.

    Args:
        table: of runs.
    """
    found = [
        f"the runs of a cell differ in {key}, and its mean includes all of them: {_values(table, key)}"
        for key in table.axes.mixed
    ]
    found += [f"{_lines(table, key)} differ in {key} too: {_values(table, key)}" for key in table.axes.following]
    if set(table.metrics) & set(TIMES):
        for key in OF_TIMES:
            values = Counter(_control(run, key) for run in table.runs)
            if len(values) > 1:
                found.append(f"times are of runs that differ in {key}: {_counts(values)}")
    of_plugins = {package for run in table.runs for package in packages_in(run.record).values()}
    for name in dict.fromkeys(name for run in table.runs for name in run.versions):
        # Of a plugin, whose package others need not have used.
        having = [run for run in table.runs if name in run.versions] if name in of_plugins else table.runs
        values = Counter(run.versions.get(name, "not recorded") for run in having)
        if len(values) > 1:
            found.append(f"the runs differ in the version of {name}: {_counts(values)}")
    return found + _seeds_run_twice(table)


def values_by_cell(table: Table, key: str) -> dict[tuple[int, int], list[str]]:
    """The labels of the values of a key that occur in each cell, by (row, column); none where no run has the key.

    Args:
        table: of runs.
        key: of the flat config.
    """
    return {
        (i, j): values
        for i, line in enumerate(table.cells)
        for j, cell in enumerate(line)
        if (values := list(dict.fromkeys(label(f, key) for run in cell.runs if key in (f := flatten(run.config)))))
    }


def _values(table: Table, key: str) -> str:
    """Every value with the rows, columns or cells that have it."""
    cells = values_by_cell(table, key)
    if key in table.axes.mixed:
        cells = {index: values for index, values in cells.items() if len(values) > 1}
    axis = _axis(cells)
    titles: dict[str, dict[str, None]] = {}
    for (i, j), values in cells.items():
        title = table.row_title(i) if axis == 0 else table.column_title(j) if axis == 1 else table.cell_title(i, j)
        titles.setdefault(" and ".join(values), {})[title] = None
    return "; ".join(f"{value} in {listed(list(where), SHOWN)}" for value, where in titles.items())


def _lines(table: Table, key: str) -> str:
    return {0: "rows", 1: "columns", None: "cells"}[_axis(values_by_cell(table, key))]


def _axis(cells: dict[tuple[int, int], list[str]]) -> int | None:
    """The coordinate that determines the values, 0 for the row and 1 for the column; None for both together."""
    for axis in (0, 1):
        by_line: dict[int, set[tuple[str, ...]]] = {}
        for index, values in cells.items():
            by_line.setdefault(index[axis], set()).add(tuple(sorted(values)))
        if len({index[axis] for index in cells}) > 1 and all(len(found) == 1 for found in by_line.values()):
            return axis
    return None


def _seeds_run_twice(table: Table) -> list[str]:
    found: dict[str, list[str]] = {}
    for i, line in enumerate(table.cells):
        for j, cell in enumerate(line):
            counts = Counter(str(run.seed) for run in cell.runs if run.value(table.metrics[0]) is not None)
            twice = [seed for seed, count in counts.items() if count > 1]
            # Runs that differ in an option may share a seed: that has its own warning.
            if twice and not table.axes.mixed:
                found.setdefault(", ".join(twice), []).append(table.cell_title(i, j))
    return [
        f"seed{'s' * (',' in seeds)} {seeds} ran more than once in {listed(cells, SHOWN)}, and the mean counts every "
        "run"
        for seeds, cells in found.items()
    ]


def _control(run: Run, key: str) -> str:
    training = run.config.get("training")
    return str(training.get(key.removeprefix("training."))) if isinstance(training, dict) else "None"


def _counts(values: Counter[str]) -> str:
    return ", ".join(f"{value} ({count} run{'s' * (count != 1)})" for value, count in values.items())
