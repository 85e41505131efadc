"""Learning curves in panels by matplotlib: a panel for each column of a table, below each other for each figure."""

import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from stnkit.experiments.report.curve_lines import Drawn, Lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Matplotlib's name and the character of the marker that tells rows of one color apart.
MARKERS = {"": "", "o": "●", "s": "■", "^": "▲"}
# SVG dash arrays in points, one for each seed.
DASHES = ("none", "8 3", "2 3", "8 3 2 3", "14 4", "8 3 2 3 2 3")
COLORS = 8
WIDTH = 1.8
PANELS_IN_A_ROW = 3


class Look(NamedTuple):
    """The colors of a figure.

    Attributes:
        ink: of texts and axes.
        lines: of the lines, COLORS of them.
    """

    ink: str
    lines: Sequence[str]


def styles(rows: Sequence[int]) -> dict[int, tuple[int, str]]:
    """The number of a color and a marker for each row.

    Args:
        rows: those with a line.
    """
    markers = list(MARKERS)
    return {row: (n % COLORS, markers[n // COLORS % len(markers)]) for n, row in enumerate(rows)}


@contextmanager
def panels(
    found: Mapping[Drawn, Lines], titles: Sequence[str], style: Mapping[int, tuple[int, str]], look: Look
) -> Iterator["Figure"]:
    """The figure, within matplotlib's settings for it.

    Args:
        found: the lines of each figure of the epochs.
        titles: of the columns.
        style: of each row, as `styles` gives it.
        look: its colors.
    """
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
        **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), look.ink),
    }
    with mpl.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the viewer has fonts with more glyphs
        # A single column leaves room for all figures beside each other.
        beside = len(titles) == 1
        shape = (1, len(found)) if beside else (down * len(found), across)
        figure = Figure(figsize=(max(6, 4 * shape[1]), 3.2 * shape[0]), layout="constrained")
        axes = figure.subplots(*shape, squeeze=False, sharex=True)
        blocks = np.split(axes, len(found), axis=1 if beside else 0)
        for block, (drawn, lines) in zip(blocks, found.items(), strict=True):
            _draw_block(block, drawn, lines, titles, style, look)
        for panel in axes[-1]:
            panel.set_xlabel("epoch")
        yield figure


def linestyle(seed: int) -> Any:
    """Matplotlib's dashes for a seed.

    Args:
        seed: its number among those of the table.
    """
    dashes = DASHES[seed % len(DASHES)]
    # Matplotlib multiplies the pattern by the width of the line.
    return "-" if dashes == "none" else (0, tuple(float(length) / WIDTH for length in dashes.split()))


def _draw_block(
    axes: Any,
    drawn: Drawn,
    lines: Lines,
    titles: Sequence[str],
    style: Mapping[int, tuple[int, str]],
    look: Look,
) -> None:
    """Draw one figure of the epochs, in a panel for each column of the table."""
    from matplotlib.ticker import MaxNLocator

    taken: Counter[str] = Counter()
    for (i, j), runs in lines.items():
        for seed, points in runs:
            color, marker = style[i]
            (line,) = axes.flat[j].plot(*zip(*points, strict=True), color=look.lines[color], linewidth=WIDTH)
            line.set(linestyle=linestyle(seed), marker=marker or ("o" if len(points) == 1 else ""), markersize=4)
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
        panel.grid(alpha=0.2, color=look.ink)
        panel.spines[["top", "right"]].set_visible(False)
        panel.patch.set_visible(False)
    for panel in axes[:, 0]:
        panel.set_ylabel(drawn.label)
