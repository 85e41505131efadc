"""The caption of the table, and the notes below it."""

from stnkit.experiments.report.best import arrows, best_cells
from stnkit.experiments.report.runs import Run, Status
from stnkit.experiments.report.table import NO_RUN, NO_VALUE, Table
from stnkit.experiments.run_directory.job_list import Job
from stnkit.listed import listed

WORDS = {"↓": "lower", "↑": "higher"}


def caption(table: Table) -> str:
    """The values of the table with their units, in one line, or that no run has any.

    Where the best means are marked, an arrow behind the unit says what is better.

    Args:
        table: of runs.
    """
    directions = arrows(table, best_cells(table))
    values = "; ".join(f"{table.with_unit(metric)} {directions.get(metric, '')}".rstrip() for metric in table.metrics)
    if not any(run.status is Status.completed for run in table.runs):
        return f"{values}: no run is completed"
    seeds = table.n_seeds
    of_seeds = "of one seed" if seeds == 1 else f"mean ± standard deviation over {seeds} seeds"
    words = [f"; {arrow} {word} is better" for arrow, word in WORDS.items() if arrow in directions.values()]
    return f"{values}: {of_seeds} (number of completed runs){''.join(words)}"


def notes(table: Table) -> list[str]:
    """Notes on the table, one sentence each: its marks, undefined values, and the runs that are not completed.

    Args:
        table: of runs.
    """
    found = [f"marks: {NO_RUN} no run, {NO_VALUE} no such value, (2/3): 2 of 3 seeds completed"] if table.runs else []
    found += [
        f"[{number}] not defined: {', '.join(metrics)}: {reason}"
        for reason, (number, metrics) in footnotes(table).items()
    ]
    unfinished = [run for run in table.runs if run.reason] + table.broken
    by_reason: dict[tuple[Status, str], list[Run]] = {}
    for run in unfinished:
        by_reason.setdefault((run.status, run.reason), []).append(run)
    for (status, reason), runs in by_reason.items():
        found.append(f"{status}: {listed([str(run.path) for run in runs])}: {' '.join(reason.split())}")
    by_sweep: dict[str, list[Job]] = {}
    for job in table.not_begun:
        by_sweep.setdefault(str(job.sweep_dir), []).append(job)
    for sweep, jobs in by_sweep.items():
        names = [" ".join(job.overrides) for job in jobs if job.overrides]
        found.append(f"not begun: {len(jobs)} of {sweep}: {listed(names, separator='; ')}")
    return found


def footnotes(table: Table) -> dict[str, tuple[int, list[str]]]:
    """By reason, its number and the metrics that are not defined for it, in the order of the cells.

    Args:
        table: of runs.
    """
    found: dict[str, tuple[int, list[str]]] = {}
    for line in table.cells:
        for cell in line:
            for metric in table.metrics:
                for reason in cell.undefined(metric):
                    _, metrics = found.setdefault(reason, (len(found) + 1, []))
                    if metric not in metrics:
                        metrics.append(metric)
    return found
