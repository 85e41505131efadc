"""The table as Markdown for readers, as CSV with one line for each cell and as JSON with every run for programs."""

import csv
import io
import json
from typing import Any

from stnkit.experiments.report.published_results import Comparison
from stnkit.experiments.report.runs import Run, Status
from stnkit.experiments.report.table import Cell, Table
from stnkit.experiments.report.text_table import Entry, Grid


def as_markdown(grid: Grid, told: list[str]) -> str:
    """A table in GitHub's Markdown, and below it the notes.

    Args:
        grid: the table as texts.
        told: the notes.
    """
    lines = [
        [_escaped(text) for text in (*grid.heads, *map(" · ".join, grid.columns))],
        [*["---"] * len(grid.heads), *["---:"] * len(grid.columns)],
        *([*map(_escaped, labels), *map(_in_markdown, entries)] for labels, entries in grid.rows),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([table, "", *(f"- {_escaped(note)}" for note in told)]) + "\n"


def as_csv(table: Table, comparison: Comparison | None = None) -> str:
    """One line for each cell: its keys, then mean, standard deviation and the numbers of runs.

    Args:
        table: of runs.
        comparison: published figures beside it.
    """
    keys = [*table.axes.rows, *table.axes.columns]
    head = [*keys, *(name for metric in table.metrics for name in (metric, f"{metric}_std"))]
    head += ["reference", "difference"] if comparison else []
    head += [*map(str, Status), "directories"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for i, row in enumerate(table.rows):
        for j, column in enumerate(table.columns):
            cell = table.cells[i][j]
            line: list[Any] = [*row, *column]
            for metric in table.metrics:
                statistic = cell.statistic(metric)
                line += [None, None] if statistic is None else [statistic.mean, statistic.std]
            if comparison:
                line += [comparison.figures.get((i, j)), comparison.difference(table, i, j)]
            writer.writerow([*line, *map(cell.count, Status), _directories(cell.runs)])
    for run in table.broken:
        nothing = [""] * (len(head) - len(Status) - 1)
        writer.writerow([*nothing, *(int(status is run.status) for status in Status), run.path])
    return text.getvalue()


def as_json(table: Table, told: list[str], comparison: Comparison | None = None) -> str:
    """Cells with their runs, broken records, notes.

    Args:
        table: of runs.
        told: the notes.
        comparison: published figures beside it.
    """
    values = {
        "rows": list(table.axes.rows),
        "columns": list(table.axes.columns),
        "values": table.metrics,
        "cells": [
            {
                "row": dict(zip(table.axes.rows, row, strict=True)),
                "column": dict(zip(table.axes.columns, column, strict=True)),
                **_statistics(table.cells[i][j], table.metrics),
                **_reference(table, comparison, i, j),
                "runs": [_run(run, table.metrics) for run in table.cells[i][j].runs],
            }
            for i, row in enumerate(table.rows)
            for j, column in enumerate(table.columns)
        ],
        "broken": [_run(run, []) for run in table.broken],
        "notes": told,
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _statistics(cell: Cell, metrics: list[str]) -> dict[str, Any]:
    found = {metric: cell.statistic(metric) for metric in metrics}
    return {"statistics": {metric: None if value is None else vars(value) for metric, value in found.items()}}


def _reference(table: Table, comparison: Comparison | None, row: int, column: int) -> dict[str, Any]:
    if comparison is None:
        return {}
    figure = comparison.figures.get((row, column))
    return {"reference": figure, "difference": comparison.difference(table, row, column)}


def _run(run: Run, metrics: list[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"directory": str(run.path), "status": run.status.value}
    if run.status is not Status.broken:
        told |= {"seed": run.seed, "values": {metric: run.value(metric) for metric in metrics}}
    return told | ({"reason": run.reason} if run.reason else {})


def _directories(runs: tuple[Run, ...]) -> str:
    return ";".join(str(run.path) for run in runs)


def _in_markdown(entry: Entry) -> str:
    beside = f"<br>{_escaped(entry.beside)}" if entry.beside else ""
    return _escaped(entry.text) + beside


def _escaped(text: str) -> str:
    # What would end a cell or begin a tag; a broken record's reason can hold anything.
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(plain, escaped)
    return text
