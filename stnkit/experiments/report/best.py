"""The best mean of each column."""

from stnkit.experiments.report.quantities import quantity
from stnkit.experiments.report.statistic import decimals
from stnkit.experiments.report.table import Table


def best_cells(table: Table) -> set[tuple[int, int, str]]:
    """(row, column, metric) of the best means; none of a metric without direction, or where all means print alike.

    Args:
        table: of runs.
    """
    found: set[tuple[int, int, str]] = set()
    for metric in table.metrics:
        better = quantity(metric).better
        for j in range(len(table.columns)):
            statistics = {i: cells[j].statistic(metric) for i, cells in enumerate(table.cells)}
            # As printed: a lead that no digit shows is none.
            means = {i: better * round(s.mean, decimals(s.mean)) for i, s in statistics.items() if s}
            if better and len(set(means.values())) > 1:
                found |= {(i, j, metric) for i, mean in means.items() if mean == max(means.values())}
    return found
