"""The page: table, learning curves and pictures in one self-contained HTML file."""

import base64
import hashlib
import importlib.resources
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from stnkit.experiments.report.curves import learning_curves
from stnkit.experiments.report.dataset_options import parsed_options
from stnkit.experiments.report.gallery import Galleries, Gallery
from stnkit.experiments.report.published_results import Comparison
from stnkit.experiments.report.shared import summary
from stnkit.experiments.report.statistic import Statistic, number
from stnkit.experiments.report.table import NO_RUN, NO_VALUE, Cell, Table
from stnkit.experiments.report.text_table import make_text_table

# (row, column) of a cell in the table.
CellIndex = tuple[int, int]
# Wraps the list of cells while they are drawn, to show progress.
Progress = Callable[[Sequence[CellIndex]], Iterable[CellIndex]]


@dataclass(frozen=True)
class Card:
    """A cell's section of the page.

    Args:
        anchor: id of its heading.
        title: row and column in one line.
        values: (name, text) of its metrics.
        undefined: reason for each group of figures without a value.
        gallery: its pictures.
    """

    anchor: str
    title: str
    values: list[tuple[str, str]]
    undefined: list[str]
    gallery: Gallery


def make_page(
    table: Table,
    comparison: Comparison | None,
    notes: Sequence[str],
    dataset: Sequence[tuple[str, str]] = (),
    progress: Progress = iter,
) -> str:
    """The page as HTML, in which every text of a run is escaped.

    Args:
        table: of runs.
        comparison: published results for its cells.
        notes: one sentence each, printed below the table.
        dataset: options of the dataset, as texts, that replace those of the runs.
        progress: wraps the list of cells while they are drawn.
    """
    galleries = Galleries(parsed_options(dataset))
    indices = [(i, j) for i, line in enumerate(table.cells) for j, cell in enumerate(line) if cell.runs]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    curves = learning_curves(table)
    return environment.from_string(_file("page.html")).render(
        style=Markup(_file("page.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        summary=summary(table),
        table=make_text_table(table, comparison),
        notes=notes,
        curves=curves,
        curves_svg=Markup(curves.svg) if curves else "",
        cards=[_card(table, comparison, index, galleries) for index in progress(indices)],
        anchor=anchor,
    )


def anchor(index: CellIndex) -> str:
    """The id of a cell's card."""
    return f"cell-{index[0]}-{index[1]}"


def _card(table: Table, comparison: Comparison | None, index: CellIndex, galleries: Galleries) -> Card:
    i, j = index
    cell = table.cells[i][j]
    values = []
    for metric in table.metrics:
        published = comparison.text(table, i, j, metric) if comparison else ""
        reasons = cell.undefined(metric)
        text = cell.text(metric, f"{NO_RUN} ({'; '.join(reasons)})" if reasons else NO_VALUE)
        values.append((table.with_unit(metric), text + (f" ({published})" if published else "")))
    # Metrics that the record also has for the identity instead of the learned transform.
    compared = sorted({name for run in cell.runs for name in run.record if f"{name}_identity" in run.record})
    for name in (name for name in compared if name not in table.metrics):
        learned, identity = cell.statistic(name), cell.statistic(f"{name}_identity")
        if learned and identity:
            resolution = table.quantity(name).resolution
            twin = number(Statistic(identity.mean, None, 1), resolution)
            values.append((table.with_unit(name), f"{number(learned, resolution)} (identity: {twin})"))
    return Card(anchor(index), table.cell_title(i, j), values, _undefined(table, cell), galleries.draw(cell))


def _undefined(table: Table, cell: Cell) -> list[str]:
    """One sentence for each reason why runs of a cell have no such figures, without those in the table."""
    names: dict[str, None] = {}
    for run in cell.runs:
        recorded = run.record.get("undefined")
        names |= dict.fromkeys(recorded if isinstance(recorded, Mapping) else ())
    by_reason: dict[str, list[str]] = {}
    for name in names:
        if name not in table.metrics and not name.endswith("_identity"):
            for reason in cell.undefined(name):
                by_reason.setdefault(reason, []).append(name)
    return [f"{NO_RUN} {', '.join(names)}: {reason}" for reason, names in by_reason.items()]


def _file(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
