"""The best mean of each column."""

from stnkit.experiments.report.statistic import decimals
from stnkit.experiments.report.table import Table


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
            if better and len(set(means.values())) > 1:
                found |= {(i, j, metric) for i, mean in means.items() if mean == max(means.values())}
    return found
