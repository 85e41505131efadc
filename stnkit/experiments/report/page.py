"""The page: table, learning curves and pictures in one HTML file that loads nothing from anywhere."""

import base64
import hashlib
import importlib.resources
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from omegaconf import OmegaConf

from stnkit.experiments.report.curves import learning_curves
from stnkit.experiments.report.gallery import Galleries, Gallery
from stnkit.experiments.report.published_results import Comparison
from stnkit.experiments.report.runs import Run, Status
from stnkit.experiments.report.table import Statistic, Table, number
from stnkit.experiments.report.text_table import make_grid

Place = tuple[int, int]
Progress = Callable[[Sequence[Place]], Iterable[Place]]


@dataclass(frozen=True)
class Card:
    """What the page shows of a cell beside its place in the table.

    Args:
        anchor: id of its heading.
        title: row and column in one line.
        figures: (name, value) of what is told of it.
        gallery: its pictures.
    """

    anchor: str
    title: str
    figures: list[tuple[str, str]]
    gallery: Gallery


def make_page(
    table: Table,
    comparison: Comparison | None,
    told: Sequence[str],
    dataset: Sequence[tuple[str, str]] = (),
    progress: Progress = iter,
) -> str:
    """The page as a text. Everything that comes from a run is escaped.

    Args:
        table: of runs.
        comparison: published figures beside it.
        told: the notes below the table.
        dataset: options of the dataset, as texts, that are others here than where the runs were trained.
        progress: wraps the list of cells while they are drawn.
    """
    options: Any = OmegaConf.to_container(OmegaConf.from_dotlist([f"{key}={value}" for key, value in dataset]))
    galleries = Galleries(options)
    places = [(i, j) for i, line in enumerate(table.cells) for j, cell in enumerate(line) if cell.runs]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    script = _file("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    curves = learning_curves(table)
    return environment.from_string(_file("page.html")).render(
        style=Markup(_file("page.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        summary=_summary(table),
        grid=make_grid(table, comparison),
        notes=told,
        metrics=table.metrics,
        curves=curves,
        curves_svg=Markup(curves.svg) if curves else "",
        cards=[_card(table, comparison, place, galleries) for place in progress(places)],
        anchor=anchor,
    )


def anchor(place: Place) -> str:
    """The id of a cell's card."""
    return f"cell-{place[0]}-{place[1]}"


def _card(table: Table, comparison: Comparison | None, place: Place, galleries: Galleries) -> Card:
    i, j = place
    cell = table.cells[i][j]
    figures = []
    for metric in table.metrics:
        beside = comparison.text(table, i, j, metric) if comparison else ""
        figures.append((metric, cell.text(metric) + (f" ({beside})" if beside else "")))
    # What an untrained transformer has stands beside what was learned.
    twins = sorted({name for run in cell.runs for name in run.record if f"{name}_identity" in run.record})
    for name in (name for name in twins if name not in table.metrics):
        ours, untrained = cell.statistic(name), cell.statistic(f"{name}_identity")
        if ours and untrained:
            figures.append((name, f"{number(ours)} (identity: {number(Statistic(untrained.mean, None, 1))})"))
    title = ", ".join(filter(None, (table.row_title(i), table.column_title(j))))
    return Card(anchor(place), title, figures, galleries.draw(cell))


def _summary(table: Table) -> str:
    runs: list[Run] = [run for line in table.cells for cell in line for run in cell.runs] + table.broken
    counts: Mapping[Status, int] = {status: sum(run.status is status for run in runs) for status in Status}
    parts = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"{len(runs)} run{'s' * (len(runs) != 1)}: {parts}"


def _file(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
