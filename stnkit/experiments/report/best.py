"""The best mean of each column."""

from collections.abc import Mapping
from typing import Any

from stnkit.experiments.report.statistic import decimals
from stnkit.experiments.report.table import Cell, Table


def arrows(table: Table, best: set[tuple[int, int, str]]) -> dict[str, str]:
    """The arrow of what is better, for each metric of which a mean is marked.

    Args:
        table: of runs.
        best: as `best_cells` gives them.
    """
    marked = {metric for _, _, metric in best}
    return {metric: table.quantity(metric).arrow for metric in table.metrics if metric in marked}


def best_cells(table: Table) -> set[tuple[int, int, str]]:
    """(row, column, metric) of the best means; none of a metric without direction, or where all means print alike.

    Means of different images or distortions have no best one: where the rows differ in them, each is for itself.

    Args:
        table: of runs.
    """
    found: set[tuple[int, int, str]] = set()
    for metric in table.metrics:
        kind = table.quantity(metric)
        better = kind.better
        for j in range(len(table.columns)):
            statistics = {i: cells[j].statistic(metric) for i, cells in enumerate(table.cells)}
            # As printed: a lead that no digit shows is none.
            means = {i: better * round(s.mean, decimals(s.mean, kind.digits)) for i, s in statistics.items() if s}
            alike: list[tuple[Any, dict[int, float]]] = []
            for i, mean in means.items():
                images = _images(table.cells[i][j])
                group = next((group for other, group in alike if other == images), None)
                if group is None:
                    alike.append((images, {i: mean}))
                else:
                    group[i] = mean
            for _, group in alike if better else ():
                if len(set(group.values())) > 1:
                    found |= {(i, j, metric) for i, mean in group.items() if mean == max(group.values())}
    return found


def _images(cell: Cell) -> tuple[Any, ...]:
    """The dataset and the distortion of the runs of a cell, without the place of the data."""
    config: Mapping[str, Any] = cell.runs[0].job_config
    return config.get("dataset"), config.get("distortion")
