"""The lines of learning curves: a figure of every epoch, for each cell of a table and each of its runs."""

from typing import NamedTuple

from stnkit.experiments.report.quantities import NOISE, Quantity
from stnkit.experiments.report.runs import Run, primary_figures
from stnkit.experiments.report.table import Table


class Drawn(NamedTuple):
    """A figure of every epoch.

    Attributes:
        metric: its name in the history.
        label: of its axis.
        prefix: of the ids of its lines.
        kind: of the figure.
    """

    metric: str
    label: str
    prefix: str
    kind: Quantity

    @property
    def is_error(self) -> bool:
        """True for a percentage of which the lower one is better, whose values near 0 matter."""
        return self.kind.unit == "%" and self.kind.better < 0


# Figures of θ, which every objective has.
OF_THETA = {
    "rotation_residual": ("rotation residual, °", "rotation-"),
    "corner_error_per_class": ("corner error per class, px", "corners-"),
    "theta_distance": ("‖θ − identity‖", "theta-"),
    "outside": ("grid points outside, %", "outside-"),
}


class Line(NamedTuple):
    """The points of a run, with the number of its seed among those of the table."""

    seed: int
    points: list[tuple[float, float]]


Lines = dict[tuple[int, int], list[Line]]


def lines_of(table: Table) -> dict[Drawn, Lines]:
    """The lines of each figure that a run has recorded, by row and column of the table.

    Args:
        table: of runs.
    """
    seeds = seeds_of(table)
    return {drawn: lines for drawn in _drawn(table) if any((lines := _lines(table, drawn, seeds)).values())}


def seeds_of(table: Table) -> list[str]:
    """The seeds in the order of the runs, each once.

    Args:
        table: of runs.
    """
    return list(dict.fromkeys(str(run.seed) for run in table.runs))


def _drawn(table: Table) -> list[Drawn]:
    """The primary figure of each objective, and the figures of θ."""
    drawn = []
    for n, figure in enumerate(primary_figures(table.runs)):
        metric, prefix = f"validation_{figure.name}", f"objective{n}-" if n else ""
        kind = table.quantity(f"history.-1.{metric}")
        label = f"validation {figure.words}" + (f", {kind.unit}" if kind.unit else "")
        drawn.append(Drawn(metric, label, prefix, kind))
    for name, (label, prefix) in OF_THETA.items():
        drawn.append(Drawn(f"validation_{name}", label, prefix, table.quantity(f"validation_{name}")))
    return drawn


def _lines(table: Table, drawn: Drawn, seeds: list[str]) -> Lines:
    return {
        (i, j): [Line(seeds.index(str(run.seed)), points) for run in cell.runs if (points := _points(run, drawn))]
        for i, row in enumerate(table.cells)
        for j, cell in enumerate(row)
    }


def _points(run: Run, drawn: Drawn) -> list[tuple[float, float]]:
    history = run.record.get("history")
    rows = [row for row in history if isinstance(row, dict)] if isinstance(history, list) else []
    return [
        (row["epoch"] + 1, 0.0 if abs(row[drawn.metric]) < NOISE else drawn.kind.factor * row[drawn.metric])
        for row in rows
        if all(isinstance(row.get(name), int | float) for name in ("epoch", drawn.metric))
    ]
