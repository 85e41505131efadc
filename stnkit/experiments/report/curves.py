"""Learning curves as one SVG, in the colors of the page's style sheet."""

import io
import logging
import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stnkit.experiments.report.quantities import NOISE, Quantity
from stnkit.experiments.report.runs import Run, primary_figures
from stnkit.experiments.report.table import Table

COLORS = 8
# Matplotlib's name and the character of the marker that tells rows of one color apart.
MARKERS = {"": "", "o": "●", "s": "■", "^": "▲"}
# SVG dash arrays in points, one for each seed.
DASHES = ("none", "8 3", "2 3", "8 3 2 3", "14 4", "8 3 2 3 2 3")
WIDTH = 1.8
PANELS_IN_A_ROW = 3
# Sentinel colors that matplotlib uses nowhere else; each is replaced by a color of the page.
INK = "#010203"


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


@dataclass(frozen=True)
class Curves:
    """A figure with its legend.

    Args:
        svg: the figure, whose lines have the ids curve-PANEL-ROW-SEED, after `rotation-`, `corners-`, `theta-` or
            `outside-` for those of θ, and `objective1-` and so on for those of further objectives.
        legend: (row, title, color, marker) of each row of the table that has a line.
        seeds: (seed, number, dash array) of each seed.
        title: the labels of its axes.
    """

    svg: str
    legend: list[tuple[int, str, int, str]]
    seeds: list[tuple[str, int, str]]
    title: str


def learning_curves(table: Table) -> Curves | None:
    """Primary figure in validation and figures of θ by epoch; None without epochs.

    A panel for each column of the table, a line for each run: its color tells the row, its dashes the seed.

    Args:
        table: of runs.
    """
    seeds = list(dict.fromkeys(str(run.seed) for run in table.runs))
    found = {drawn: lines for drawn in _drawn(table) if any((lines := _lines(table, drawn, seeds)).values())}
    if not found:
        return None
    columns = range(len(table.columns))
    rows = [i for i in range(len(table.rows)) if any(lines[i, j] for lines in found.values() for j in columns)]
    markers = list(MARKERS)
    style = {i: (n % COLORS, markers[n // COLORS % len(markers)]) for n, i in enumerate(rows)}
    svg = _draw(found, [table.column_title(j) for j in columns], style)
    return Curves(
        svg,
        [(i, table.row_title(i), color, MARKERS[marker]) for i, (color, marker) in style.items()],
        [(seed, n, DASHES[n % len(DASHES)]) for n, seed in enumerate(seeds)],
        ", ".join(drawn.label for drawn in found),
    )


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


def _draw(found: dict[Drawn, Lines], titles: list[str], style: dict[int, tuple[int, str]]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it logs the building of its font cache
    across = min(PANELS_IN_A_ROW, len(titles))
    down = -(-len(titles) // across)
    settings: Any = {
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "stnkit",
        "text.parse_math": False,  # a dollar sign in a title does not start a formula
        "font.size": 11,
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the browser has fonts with more glyphs
        # A single column leaves room for all figures beside each other.
        beside = len(titles) == 1
        shape = (1, len(found)) if beside else (down * len(found), across)
        figure = Figure(figsize=(max(6, 4 * shape[1]), 3.2 * shape[0]), layout="constrained")
        axes = figure.subplots(*shape, squeeze=False, sharex=True)
        blocks = np.split(axes, len(found), axis=1 if beside else 0)
        for block, (drawn, lines) in zip(blocks, found.items(), strict=True):
            _draw_block(block, drawn, lines, titles, style)
        for panel in axes[-1]:
            panel.set_xlabel("epoch")
        figure.patch.set_visible(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    for color in range(COLORS):
        svg = svg.replace(_sentinel(color), f"var(--curve-{color})")
    return svg


def _draw_block(axes: Any, drawn: Drawn, lines: Lines, titles: list[str], style: dict[int, tuple[int, str]]) -> None:
    """Draw one figure of the epochs, in a panel for each column of the table."""
    from matplotlib.ticker import MaxNLocator

    taken: Counter[str] = Counter()
    for (i, j), runs in lines.items():
        for seed, points in runs:
            color, marker = style[i]
            (line,) = axes.flat[j].plot(*zip(*points, strict=True), color=_sentinel(color), linewidth=WIDTH)
            line.set(linestyle=_linestyle(seed), marker=marker or ("o" if len(points) == 1 else ""), markersize=4)
            name = f"{drawn.prefix}curve-{j}-{i}-{seed}"
            line.set_gid(name + (f"-{taken[name]}" if taken[name] else ""))  # a seed may have run twice
            taken[name] += 1
    values = [value for runs in lines.values() for run in runs for _, value in run.points]
    lowest, highest = min(values), max(values)
    for j, panel in enumerate(axes.flat):
        panel.set_visible(j < len(titles))
        panel.set_title(titles[j] if j < len(titles) else "")
        if drawn.is_error:
            # Linear near zero, since a small validation split may have an error of 0.
            panel.set_yscale("symlog", linthresh=1)
            panel.set_ylim(0, 100)
            panel.set_yticks([0, 0.5, 1, 2, 5, 10, 20, 50, 100], ["0", "0.5", "1", "2", "5", "10", "20", "50", "100"])
            panel.set_yticks([], minor=True)
        elif lowest >= 0:
            panel.set_ylim(0, 1.05 * highest or 1)
        # Of a single epoch too: a locator that needs two ticks divides it.
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        panel.grid(alpha=0.2, color=INK)
        panel.spines[["top", "right"]].set_visible(False)
        panel.patch.set_visible(False)
    for panel in axes[:, 0]:
        panel.set_ylabel(drawn.label)


def _linestyle(seed: int) -> Any:
    dashes = DASHES[seed % len(DASHES)]
    # Matplotlib multiplies the pattern by the width of the line.
    return "-" if dashes == "none" else (0, tuple(float(length) / WIDTH for length in dashes.split()))


def _sentinel(color: int) -> str:
    return f"#0102f{color}"
