"""Learning curves: as one SVG in the colors of the page's style sheet, and as a file of their own."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stnkit.errors import InputError
from stnkit.experiments.report.curve_lines import Drawn, Lines, lines_of, seeds_of
from stnkit.experiments.report.curve_panels import COLORS, DASHES, MARKERS, WIDTH, Look, linestyle, panels, styles
from stnkit.experiments.report.table import Table
from stnkit.files.atomic import write_atomically

# Colors that matplotlib uses nowhere else; each is replaced by a color of the page.
SENTINELS = Look("#010203", [f"#0102f{color}" for color in range(COLORS)])
# Those of the page in its light theme.
ON_WHITE = Look("#1d2230", ("#0b62b8", "#c8501a", "#15803d", "#9333b8", "#b8860b", "#0e8a94", "#c2276b", "#5b6473"))
# Nothing of the time at which a file is written.
METADATA = {
    ".svg": dict.fromkeys(("Date", "Creator", "Format", "Type")),
    ".pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
    ".png": {"Software": None},
}


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
    found = lines_of(table)
    if not found:
        return None
    style = styles(_rows(table, found))
    file = io.StringIO()
    with panels(found, _titles(table), style, SENTINELS) as figure:
        figure.patch.set_visible(False)
        figure.savefig(file, format="svg", metadata=METADATA[".svg"])
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(SENTINELS.ink, "currentColor")
    for number, color in enumerate(SENTINELS.lines):
        svg = svg.replace(color, f"var(--curve-{number})")
    return Curves(
        svg,
        [(i, table.row_title(i), color, MARKERS[marker]) for i, (color, marker) in style.items()],
        [(seed, n, DASHES[n % len(DASHES)]) for n, seed in enumerate(seeds_of(table))],
        ", ".join(drawn.label for drawn in found),
    )


def write_curves(table: Table, path: Path) -> None:
    """The learning curves as an SVG, PDF or PNG on white, with a legend of rows, and of seeds if there are several.

    Args:
        table: of runs.
        path: of the file; its suffix decides.

    Raises:
        InputError: when it has another suffix, or no run has an epoch.
    """
    check_curve_file(path)
    found = lines_of(table)
    if not found:
        raise InputError(f"--curves {path}: expected runs with epochs, got none")
    from matplotlib.lines import Line2D

    style, seeds = styles(_rows(table, found)), seeds_of(table)
    with panels(found, _titles(table), style, ON_WHITE) as figure:
        rows = [
            Line2D(
                [], [], color=ON_WHITE.lines[color], linewidth=WIDTH, marker=marker or None, label=table.row_title(i)
            )
            for i, (color, marker) in style.items()
        ]
        dashed = [
            Line2D([], [], color=ON_WHITE.ink, linewidth=WIDTH, linestyle=linestyle(n), label=f"seed {seed}")
            for n, seed in enumerate(seeds)
        ]
        handles = rows + (dashed if len(seeds) > 1 else [])
        figure.legend(handles=handles, loc="outside upper center", ncols=min(4, len(handles)), frameon=False)
        file = io.BytesIO()
        suffix = path.suffix.lower()
        figure.savefig(file, format=suffix[1:], metadata=METADATA[suffix], dpi=150, facecolor="white")
    write_atomically(path, file.getvalue())


def check_curve_file(path: Path) -> None:
    """Refuse a file for curves whose suffix names no format.

    Args:
        path: of the file.

    Raises:
        InputError: then.
    """
    if path.suffix.lower() not in METADATA:
        raise InputError(f"--curves {path}: expected a file that ends in .svg, .pdf or .png")


def _titles(table: Table) -> list[str]:
    return [table.column_title(j) for j in range(len(table.columns))]


def _rows(table: Table, found: Mapping[Drawn, Lines]) -> list[int]:
    """The rows with a line."""
    columns = range(len(table.columns))
    return [i for i in range(len(table.rows)) if any(lines[i, j] for lines in found.values() for j in columns)]
