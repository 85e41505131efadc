"""How time and memory grow, drawn and as slopes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from contenders import Contender, contenders_of


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of the line through log y over log x, by least squares."""
    return float(np.polyfit(np.log(x), np.log(np.maximum(y, 1e-12)), 1)[0])


def draw(run: dict[str, Any], path: Path) -> None:
    """A panel for time and one for memory, for each thing that grows."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    series: dict[str, dict[str, list[tuple[float, Contender]]]] = {}
    for case in run["cases"]:
        if case["axis"] and case["device"] == "cpu":
            name = case["work"].rpartition(", ")[2]
            for contender in contenders_of(case):
                lines = series.setdefault(case["axis"], {})
                lines.setdefault(f"{contender.name}, {name}", []).append((float(case["case"]), contender))
    if not series:
        return
    figure, axes = plt.subplots(2, len(series), figsize=(4.2 * len(series), 6.4), squeeze=False, layout="constrained")
    for column, (axis, lines) in enumerate(series.items()):
        for label, points in lines.items():
            ours = label.startswith("stnkit")
            style = {"marker": "o" if ours else "x", "linestyle": "-" if ours else "--", "label": label}
            x = [at for at, _ in points]
            axes[0, column].loglog(x, [1e3 * c.seconds for _, c in points], **style)
            axes[1, column].loglog(x, [c.peak / 2**20 for _, c in points], **style)
        axes[1, column].set_xlabel(axis)
        axes[0, column].legend(fontsize="x-small")
    axes[0, 0].set_ylabel("ms, forward and backward")
    axes[1, 0].set_ylabel("MiB at the peak")
    figure.savefig(path, dpi=110)
    plt.close(figure)
