"""The table as Markdown, as CSV with one line for each cell, and as JSON with every run."""

import csv
import io
import json
import re
from collections import Counter
from typing import Any

from stnkit.experiments.report.differences import differences, values_by_cell
from stnkit.experiments.report.published_results import Comparison
from stnkit.experiments.report.runs import Run, Status
from stnkit.experiments.report.shared import shared_config
from stnkit.experiments.report.table import Cell, Table
from stnkit.experiments.report.text_table import TextCell, TextTable
from stnkit.experiments.run_directory.config_in_json import config_as_json

# What GitHub reads in a line: escapes, emphasis, code, cells, deletions, formulas and the middle of a link.
_MARKS = re.compile(r"[\\*`|~$]|\](?=\()")
# At an end of a word alone: within one, as in compact_cnn, an underscore is no emphasis.
_UNDERSCORES = re.compile(r"(?<!\w)_++|_++(?!\w)")
# Words for the direction of a quantity.
BETTER = {-1: "lower", 0: None, 1: "higher"}


def as_markdown(table: TextTable, notes: list[str]) -> str:
    """Shared facts, warnings, a table in GitHub's Markdown with the best of each column in bold, and notes.

    Args:
        table: as texts.
        notes: one sentence each.
    """
    lines = [
        [_escaped(text) for text in (*table.label_headings, *map(" · ".join, table.headings))],
        [*["---"] * len(table.label_headings), *["---:"] * len(table.headings)],
        *([*map(_escaped, labels), *map(_in_markdown, cells)] for labels, cells in table.rows),
    ]
    rows = [f"| {' | '.join(line)} |" for line in lines if table.rows]
    facts = [f"- {_escaped(name)}: {_escaped(text)}" for name, text in table.facts]
    above = [_escaped(table.caption), *(f"> **Warning:** {_escaped(sentence)}" for sentence in table.warnings)]
    below = [f"- {_escaped(note)}" for note in notes]
    if any(cell.best for _, cells in table.rows for cell in cells):
        below.append("- bold: the best mean of its column; its lead may be noise")
    paragraphs = [facts, *([line] for line in above if line), rows, below]
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines) + "\n"


def as_csv(table: Table, comparison: Comparison | None = None) -> str:
    """One line for each cell: its keys, the other keys that differ, mean, standard deviation and numbers of runs.

    Broken records have a line each, and so has a sweep with jobs that have not begun.

    Args:
        table: of runs.
        comparison: published results for its cells.
    """
    others = {key: values_by_cell(table, key) for key in (*table.axes.following, *table.axes.mixed)}
    keys = [*table.axes.rows, *table.axes.columns, *others]
    head = [*keys, *(name for metric in table.metrics for name in (metric, f"{metric}_std"))]
    head += ["reference", "difference"] if comparison else []
    head += [*map(str, Status), "not_begun", "directories"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for i, row in enumerate(table.rows):
        for j, column in enumerate(table.columns):
            cell = table.cells[i][j]
            line: list[Any] = [*row, *column, *(";".join(values.get((i, j), [])) for values in others.values())]
            for metric in table.metrics:
                statistic = cell.statistic(metric)
                line += [None, None] if statistic is None else [statistic.mean, statistic.std]
            if comparison:
                line += [comparison.results.get((i, j)), comparison.difference(table, i, j)]
            writer.writerow([*line, *map(cell.count, Status), 0, _directories(cell.runs)])
    blank = [""] * (len(head) - len(Status) - 2)
    for run in table.broken:
        writer.writerow([*blank, *(int(status is run.status) for status in Status), 0, run.path])
    for sweep, n in Counter(str(job.sweep_dir) for job in table.not_begun).items():
        writer.writerow([*blank, *[0] * len(Status), n, sweep])
    return text.getvalue()


def as_json(table: Table, notes: list[str], comparison: Comparison | None = None) -> str:
    """One object with the shared config, the cells and their runs, broken records, jobs not begun, and notes.

    Args:
        table: of runs.
        notes: one sentence each.
        comparison: published results for its cells.
    """
    values = {
        "rows": list(table.axes.rows),
        "columns": list(table.axes.columns),
        "values": table.metrics,
        "units": {metric: table.quantity(metric).unit for metric in table.metrics},
        "better": {metric: BETTER[table.quantity(metric).better] for metric in table.metrics},
        "shared": config_as_json(shared_config(table)),
        "warnings": differences(table),
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
        "not_begun": [{"directory": str(job.sweep_dir), "overrides": list(job.overrides)} for job in table.not_begun],
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
        values |= {"versions": dict(run.versions), "began": run.record.get("began")}
        if undefined := {metric: reason for metric in metrics if (reason := run.undefined(metric))}:
            values["undefined"] = undefined
    return values | ({"reason": run.reason} if run.reason else {})


def _directories(runs: tuple[Run, ...]) -> str:
    return ";".join(str(run.path) for run in runs)


def _in_markdown(cell: TextCell) -> str:
    text = f"**{_escaped(cell.text)}**" if cell.best else _escaped(cell.text)
    return text + (f"<br>{_escaped(cell.published)}" if cell.published else "")


def _escaped(text: str) -> str:
    # Texts of a user, as values of options and the reason of a broken record: nothing in them is Markdown.
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), ("\n", " ")):
        text = text.replace(plain, escaped)
    marked = _MARKS.sub(r"\\\g<0>", text)
    return _UNDERSCORES.sub(lambda run: run[0].replace("_", r"\_"), marked)
