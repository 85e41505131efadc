"""Learning curves as one SVG, in the colors of the page's style sheet."""

import io
import logging
import warnings
from dataclasses import dataclass
from typing import Any

from stnkit.experiments.report.runs import Run
from stnkit.experiments.report.table import Table

METRIC = "validation_error"
COLORS = 8
DASHES = ("-", "--", ":", "-.")
PANELS_IN_A_ROW = 3
# Sentinel colors that matplotlib uses nowhere else; each is replaced by a color of the page.
INK = "#010203"


@dataclass(frozen=True)
class Curves:
    """A figure with its legend.

    Args:
        svg: the figure, whose lines have the ids curve-PANEL-ROW-NUMBER.
        legend: (row, title, color, dashes) of each row of the table that has a line.
    """

    svg: str
    legend: list[tuple[int, str, int, str]]


def learning_curves(table: Table) -> Curves | None:
    """Validation error by epoch: a panel for each column of the table, a line for each run; None without epochs.

    Args:
        table: of runs.
    """
    lines = {
        (i, j): [points for run in cell.runs if (points := _points(run))]
        for i, row in enumerate(table.cells)
        for j, cell in enumerate(row)
    }
    rows = [i for i in range(len(table.rows)) if any(lines[i, j] for j in range(len(table.columns)))]
    if not rows:
        return None
    style = {i: (n % COLORS, DASHES[n // COLORS % len(DASHES)]) for n, i in enumerate(rows)}
    svg = _draw(lines, [table.column_title(j) for j in range(len(table.columns))], style)
    return Curves(svg, [(i, table.row_title(i), color, dashes) for i, (color, dashes) in style.items()])


def _points(run: Run) -> list[tuple[float, float]]:
    history = run.record.get("history")
    rows = [row for row in history if isinstance(row, dict)] if isinstance(history, list) else []
    return [
        (row["epoch"] + 1, row[METRIC])
        for row in rows
        if all(isinstance(row.get(name), int | float) for name in ("epoch", METRIC))
    ]


def _draw(
    lines: dict[tuple[int, int], list[list[tuple[float, float]]]], titles: list[str], style: dict[int, tuple[int, str]]
) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

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
        figure = Figure(figsize=(max(6, 4 * across), 3.2 * down), layout="constrained")
        axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for (i, j), runs in lines.items():
            for k, points in enumerate(runs):
                color, dashes = style[i]
                (line,) = axes.flat[j].plot(*zip(*points, strict=True), dashes, color=_sentinel(color), linewidth=1.8)
                line.set(gid=f"curve-{j}-{i}-{k}", marker="o" if len(points) == 1 else "", markersize=4)
        for j, panel in enumerate(axes.flat):
            panel.set_visible(j < len(titles))
            panel.set_title(titles[j] if j < len(titles) else "")
            # Linear near zero, since a small validation split may have an error of 0.
            panel.set_yscale("symlog", linthresh=1)
            panel.set_ylim(0, 100)
            panel.set_yticks([0, 0.5, 1, 2, 5, 10, 20, 50, 100], ["0", "0.5", "1", "2", "5", "10", "20", "50", "100"])
            panel.set_yticks([], minor=True)
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
            panel.grid(alpha=0.2, color=INK)
            panel.spines[["top", "right"]].set_visible(False)
            panel.patch.set_visible(False)
        for panel in axes[-1]:
            panel.set_xlabel("epoch")
        for panel in axes[:, 0]:
            panel.set_ylabel("validation error, %")
        figure.patch.set_visible(False)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    for color in range(COLORS):
        svg = svg.replace(_sentinel(color), f"var(--curve-{color})")
    return svg


def _sentinel(color: int) -> str:
    return f"#0102f{color}"
