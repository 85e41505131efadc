"""The best mean of each column."""

from stnkit.experiments.report.flat_config import identity
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
            groups: dict[str, dict[int, float]] = {}
            for i, mean in means.items():
                groups.setdefault(_images(table.cells[i][j]), {})[i] = mean
            for group in groups.values() if better else ():
                if len(set(group.values())) > 1:
                    found |= {(i, j, metric) for i, mean in group.items() if mean == max(group.values())}
    return found


def _images(cell: Cell) -> str:
    """The dataset and the distortion of a cell's runs as text, without the place of the data."""
    config = cell.runs[0].job_config
    return f"{identity(config, 'dataset')} {identity(config, 'distortion')}"
