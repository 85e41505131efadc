"""The facts that all runs of a table share: components, epochs, seeds, versions, dates."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from stnkit.experiments.report.flat_config import (
    GROUPS,
    OF_A_TRANSFORMER,
    PLACEMENT,
    TRANSFORM,
    flatten,
    identity,
    label,
)
from stnkit.experiments.report.runs import Status
from stnkit.experiments.report.table import Table
from stnkit.experiments.run_directory.job_identity import ADDED
from stnkit.listed import listed

# Components in the order of reading; each is followed by its options.
COMPONENTS = ("objective", "dataset", "distortion", "network", "placement", "transform", "localizer", "sampler")
# What goes without saying, since runs of earlier versions had nothing else.
UNSAID = flatten({"objective": ADDED["objective"], "placement": {"pair": ADDED["placement.pair"]}})
EPOCHS = "training.epochs"
SEEDS = 8
WHERE = ", where there is a transformer"


def shared_config(table: Table) -> dict[str, Any]:
    """The keys of the flat config with one value in all runs; those of a transformer, in all runs that have one.

    Args:
        table: of runs.
    """
    flats = [flatten(run.config) for run in table.runs]
    keys = dict.fromkeys(key for flat in flats for key in flat)
    values = {key: [flat for flat in flats if key in flat] for key in keys}
    if TRANSFORM in values:
        # Of a network without transformers it is "none".
        values[TRANSFORM] = _transformed(values[TRANSFORM]) or values[TRANSFORM]
    same = {key: having[0][key] for key, having in values.items() if len({identity(one, key) for one in having}) == 1}
    # A component may be missing in some runs, such as a transform. An option is shared if every run with that component
    # has it, or every run of all.
    groups = {key: len(values[key]) for key in GROUPS if key in same}
    return {
        key: value
        for key, value in same.items()
        if key in groups or len(values[key]) == groups.get(key.split(".")[0], len(flats))
    }


def facts(table: Table) -> list[tuple[str, str]]:
    """Name and text of what all runs share, of their seeds, versions and dates, and their number by status.

    Args:
        table: of runs.
    """
    shared = _said(shared_config(table))
    flats = [flatten(run.config) for run in table.runs]
    where = WHERE if 0 < len(_transformed(flats)) < len(flats) else ""
    found = [
        (group, _with_options(group, shared) + (where if group in OF_A_TRANSFORMER else ""))
        for group in COMPONENTS
        if group in shared
    ]
    if EPOCHS in shared:
        found.append(("epochs", label(shared, EPOCHS)))
    others = {key: value for key, value in shared.items() if key != EPOCHS and value is not None}
    if not others.get("training.equivariance.weight"):
        others = {key: value for key, value in others.items() if not key.startswith("training.equivariance.")}
    if options := _options(others, "training."):
        found.append(("training", options))
    components = tuple(f"{group}." for group in (*COMPONENTS, "training"))
    found += [(key, label(others, key)) for key in others if key not in COMPONENTS and not key.startswith(components)]
    seeds = list(dict.fromkeys(str(run.seed) for run in table.runs))
    if seeds:
        found.append(("seeds", listed(seeds, SEEDS)))
    versions = {name: {run.versions.get(name) for run in table.runs} for run in table.runs for name in run.versions}
    if same := [f"{name} {next(iter(values))}" for name, values in versions.items() if len(values) == 1]:
        found.append(("versions", ", ".join(same)))
    if dates := _dates(run.began for run in table.runs):
        found.append(("begun", dates))
    return [*found, ("runs", _counts(table))]


def summary(table: Table) -> str:
    """The number of runs and of jobs that have not begun, in all and by status.

    Args:
        table: of runs.
    """
    n = len(table.runs) + len(table.broken) + len(table.not_begun)
    return f"{n} run{'s' * (n != 1)}: {_counts(table)}"


def _said(shared: dict[str, Any]) -> dict[str, Any]:
    """The shared keys without a group that is as in UNSAID, with all of its options, and without such an option."""
    said = {key: value for key, value in shared.items() if UNSAID.get(key, ...) != value}
    groups = {key.split(".")[0] for key in said}
    return {key: value for key, value in shared.items() if key in said or (key in GROUPS and key in groups)}


def _transformed(flats: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [flat for flat in flats if flat.get(PLACEMENT) != []]


def _counts(table: Table) -> str:
    runs = table.runs + table.broken
    counts = {str(status): sum(run.status is status for run in runs) for status in Status}
    counts["not begun"] = len(table.not_begun)
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _with_options(group: str, shared: dict[str, Any]) -> str:
    options = _options({key: value for key, value in shared.items() if value is not None}, f"{group}.")
    return f"{label(shared, group)} ({options})" if options else label(shared, group)


def _options(shared: dict[str, Any], prefix: str) -> str:
    return ", ".join(f"{key.removeprefix(prefix)}={label(shared, key)}" for key in shared if key.startswith(prefix))


def _dates(began: Iterable[datetime | None]) -> str:
    """The first and the last date, to the minute in UTC."""
    known = sorted(date.astimezone(UTC) for date in began if date is not None)
    if not known:
        return ""
    first, last = f"{known[0]:%Y-%m-%d %H:%M}", f"{known[-1]:%Y-%m-%d %H:%M}"
    if first != last:
        first += f" to {last.removeprefix(f'{known[0]:%Y-%m-%d} ')}"
    return f"{first} UTC"
