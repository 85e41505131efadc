"""The table as Markdown, as CSV with one line for each cell, and as JSON with every run."""

import csv
import io
import json
from typing import Any

from stnkit.experiments.report.published_results import Comparison
from stnkit.experiments.report.runs import Run, Status
from stnkit.experiments.report.table import Cell, Table
from stnkit.experiments.report.text_table import TextCell, TextTable


def as_markdown(table: TextTable, notes: list[str]) -> str:
    """A table in GitHub's Markdown, and the notes below it.

    Args:
        table: as texts.
        notes: one sentence each.
    """
    lines = [
        [_escaped(text) for text in (*table.label_headings, *map(" · ".join, table.headings))],
        [*["---"] * len(table.label_headings), *["---:"] * len(table.headings)],
        *([*map(_escaped, labels), *map(_in_markdown, cells)] for labels, cells in table.rows),
    ]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([*rows, "", *(f"- {_escaped(note)}" for note in notes)]) + "\n"


def as_csv(table: Table, comparison: Comparison | None = None) -> str:
    """One line for each cell: its keys, then mean, standard deviation and the numbers of runs.

    Args:
        table: of runs.
        comparison: published results for its cells.
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
                line += [comparison.results.get((i, j)), comparison.difference(table, i, j)]
            writer.writerow([*line, *map(cell.count, Status), _directories(cell.runs)])
    for run in table.broken:
        blank = [""] * (len(head) - len(Status) - 1)
        writer.writerow([*blank, *(int(status is run.status) for status in Status), run.path])
    return text.getvalue()


def as_json(table: Table, notes: list[str], comparison: Comparison | None = None) -> str:
    """One object with the cells and their runs, the broken records and the notes.

    Args:
        table: of runs.
        notes: one sentence each.
        comparison: published results for its cells.
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
        "notes": notes,
    }
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _statistics(cell: Cell, metrics: list[str]) -> dict[str, Any]:
    found = {metric: cell.statistic(metric) for metric in metrics}
    return {"statistics": {metric: None if value is None else vars(value) for metric, value in found.items()}}


def _reference(table: Table, comparison: Comparison | None, row: int, column: int) -> dict[str, Any]:
    if comparison is None:
        return {}
    result = comparison.results.get((row, column))
    return {"reference": result, "difference": comparison.difference(table, row, column)}


def _run(run: Run, metrics: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {"directory": str(run.path), "status": run.status.value}
    if run.status is not Status.broken:
        values |= {"seed": run.seed, "values": {metric: run.value(metric) for metric in metrics}}
    return values | ({"reason": run.reason} if run.reason else {})


def _directories(runs: tuple[Run, ...]) -> str:
    return ";".join(str(run.path) for run in runs)


def _in_markdown(cell: TextCell) -> str:
    return _escaped(cell.text) + (f"<br>{_escaped(cell.published)}" if cell.published else "")


def _escaped(text: str) -> str:
    # Characters that would end a cell or start a tag; the reason of a broken record is arbitrary text.
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(plain, escaped)
    return text
