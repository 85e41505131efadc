"""The report's table as texts, for the terminal, Markdown and the page."""

from dataclasses import dataclass, field

from stnkit.experiments.report.best import arrows, best_cells
from stnkit.experiments.report.differences import differences
from stnkit.experiments.report.flat_config import is_group
from stnkit.experiments.report.notes import caption, footnotes
from stnkit.experiments.report.published_results import Comparison
from stnkit.experiments.report.runs import Status
from stnkit.experiments.report.shared import facts
from stnkit.experiments.report.table import NO_RUN, NO_VALUE, Table


@dataclass(frozen=True)
class TextCell:
    """A cell as text.

    Args:
        text: mean ± standard deviation, or a word such as "1 failed".
        published: a published result and the difference from it; empty where there is none.
        sort_key: the mean; None sorts last.
        index: (row, column) of the table; None for the row of a broken record.
        best: True for the best mean of the column.
        is_unfinished: True if a run of the cell is not completed.
    """

    text: str
    published: str = ""
    sort_key: float | None = None
    index: tuple[int, int] | None = None
    best: bool = False
    is_unfinished: bool = False


@dataclass(frozen=True)
class TextTable:
    """Rows of texts below a heading.

    Args:
        label_headings: of the columns that label a row.
        headings: of the other columns, each in one or two lines: the label of the column and the metric.
        rows: for each row, its labels and its cells.
        caption: the values and their units.
        facts: name and text of what all runs share.
        warnings: other differences between runs that stand side by side, one sentence each.
    """

    label_headings: list[str]
    headings: list[tuple[str, ...]]
    rows: list[tuple[list[str], list[TextCell]]]
    caption: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def make_text_table(table: Table, comparison: Comparison | None = None) -> TextTable:
    """The table as texts, with a row of its own for each broken record.

    Args:
        table: of runs.
        comparison: published results to print below ours.
    """
    keys = table.axes.rows
    label_headings = [key if is_group(key) else key.removeprefix("training.") for key in keys] or [""]
    several = len(table.metrics) > 1
    best, numbers = best_cells(table), footnotes(table)
    directions = arrows(table, best)
    named = {m: f"{table.with_unit(m)} {directions.get(m, '')}".rstrip() for m in table.metrics}
    headings = [
        # A title is empty where the value of its key is.
        tuple(filter(None, (table.column_title(j), named[metric] if several or not table.axes.columns else "")))
        or ("",)
        for j in range(len(table.columns))
        for metric in table.metrics
    ]
    rows = []
    for i, labels in enumerate(table.rows):
        cells = []
        for j, cell in enumerate(table.cells[i]):
            is_unfinished = any(run.status is not Status.completed for run in cell.runs)
            for metric in table.metrics:
                statistic = cell.statistic(metric)
                published = comparison.text(table, i, j, metric) if comparison else ""
                mean = None if statistic is None else statistic.mean
                marks = "".join(f"[{numbers[reason][0]}]" for reason in cell.undefined(metric))
                text = cell.text(metric, f"{NO_RUN} {marks}" if marks else NO_VALUE)
                cells.append(TextCell(text, published, mean, (i, j), (i, j, metric) in best, is_unfinished))
        rows.append((list(labels) if keys else [table.row_title(i)], cells))
    no_labels = [""] * (len(label_headings) - 1)
    broken = [TextCell(Status.broken.value, is_unfinished=True), *[TextCell("")] * (len(headings) - 1)]
    rows += [([str(run.path), *no_labels], broken) for run in table.broken]
    return TextTable(
        label_headings,
        headings or [tuple(named.values())],
        rows,
        caption(table),
        facts(table),
        differences(table),
    )
