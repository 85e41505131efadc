"""A table as rows of texts: what the terminal, Markdown and the page print."""

from dataclasses import dataclass

from stnkit.experiments.report.flat_config import is_group
from stnkit.experiments.report.published_results import Comparison
from stnkit.experiments.report.runs import Status
from stnkit.experiments.report.table import Table


@dataclass(frozen=True)
class Entry:
    """A cell of the printed table.

    Args:
        text: mean ± standard deviation, or what there is in its place.
        beside: a published figure and the difference, or nothing.
        order: what the cell is sorted by; None goes last.
        cell: its row and column in the table; None for the row of a broken record.
    """

    text: str
    beside: str = ""
    order: float | None = None
    cell: tuple[int, int] | None = None


@dataclass(frozen=True)
class Grid:
    """Texts in rows.

    Args:
        heads: of the columns that label a row.
        columns: of the other columns, in one line or two: what the column is, and the metric.
        rows: for each, its labels and its entries.
    """

    heads: list[str]
    columns: list[tuple[str, ...]]
    rows: list[tuple[list[str], list[Entry]]]


def make_grid(table: Table, comparison: Comparison | None = None) -> Grid:
    """The table as texts; a record that is broken is a row of its own.

    Args:
        table: of runs.
        comparison: published figures beside it.
    """
    keys = table.axes.rows
    heads = [key if is_group(key) else key.removeprefix("training.") for key in keys] or [""]
    several = len(table.metrics) > 1
    columns = [
        tuple(filter(None, (table.column_title(j), metric if several or not table.axes.columns else "")))
        for j in range(len(table.columns))
        for metric in table.metrics
    ]
    rows = []
    for i, labels in enumerate(table.rows):
        entries = []
        for j, cell in enumerate(table.cells[i]):
            for metric in table.metrics:
                statistic = cell.statistic(metric)
                beside = comparison.text(table, i, j, metric) if comparison else ""
                entries.append(Entry(cell.text(metric), beside, None if statistic is None else statistic.mean, (i, j)))
        rows.append((list(labels) if keys else [table.row_title(i)], entries))
    blank = [Entry("")] * (len(columns) - 1)
    rows += [([str(run.path), *[""] * (len(heads) - 1)], [Entry(Status.broken.value), *blank]) for run in table.broken]
    return Grid(heads, columns or [tuple(table.metrics)], rows)
