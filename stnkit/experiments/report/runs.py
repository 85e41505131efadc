"""The runs below given directories, finished or not, with their records."""

import enum
import functools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from stnkit.errors import InputError
from stnkit.experiments.report.damage import damage
from stnkit.experiments.report.earlier_records import in_terms_of_this_version
from stnkit.experiments.report.quantities import Quantity, quantity
from stnkit.experiments.run_directory.job_identity import ADDED
from stnkit.experiments.run_directory.job_list import FOLDER, Job, jobs_not_begun
from stnkit.experiments.run_directory.record import FILE, read_record
from stnkit.experiments.run_directory.recorded_figures import ERROR, RecordedFigure, primary_figure, recorded_figures
from stnkit.experiments.run_directory.run_control import component_paths, without
from stnkit.experiments.run_directory.state import state_of

# A pose figure, or its value of one class.
_OF_POSE = r"(?:pose\.)?(\w+)(?:\.-?\d+)?"
# Figures of θ that the training loop records.
_OF_THETA = r"test_(outside|theta_distance)|history\.-?\d+\.(train_theta_distance|validation_(outside|theta_distance))"
# Wraps the list of directories while they are read, to show progress.
Progress = Callable[[Sequence[Path]], Iterable[Path]]


class Status(enum.StrEnum):
    """The state of a run; "broken" if its record cannot be read."""

    completed = "completed"
    failed = "failed"
    interrupted = "interrupted"
    running = "running"
    died = "died"
    broken = "broken"


@dataclass(frozen=True)
class Run:
    """A run directory and its record.

    Args:
        path: of the directory.
        status: state of the run.
        reason: why it is not completed; empty if it is.
        record: contents of its metrics.json; empty if that is broken.
    """

    path: Path
    status: Status
    reason: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved config."""
        config: Mapping[str, Any] = self.record["config"]
        return config

    @functools.cached_property
    def job_config(self) -> Mapping[str, Any]:
        """The config without the options of components that only control a run, such as the place of the data.

        The record names them, so that no plugin is imported; a record of an earlier version does not.
        """
        paths = self.record.get("run_control")
        if isinstance(paths, list) and all(isinstance(path, list) and path for path in paths):
            return without(self.config, paths)
        return without(self.config, component_paths(self.config))

    @property
    def seed(self) -> Any:
        """The seed, or None if the record has none."""
        return self.record.get("seed", self.config.get("seed"))

    @property
    def versions(self) -> Mapping[str, str]:
        """The recorded versions by name; empty in records of earlier versions of stnkit."""
        versions = self.record.get("versions")
        named = versions.items() if isinstance(versions, Mapping) else ()
        return {name: version for name, version in named if isinstance(version, str)}

    @property
    def began(self) -> datetime | None:
        """The recorded time of the start, or None."""
        try:
            return datetime.fromisoformat(str(self.record.get("began")))
        except ValueError:
            return None

    def value(self, metric: str) -> float | None:
        """A number in the record of a completed run, in its unit, or None if it has none.

        Args:
            metric: name, or dotted path into mappings and lists, such as `pose.rotation.3` or `history.-1.train_loss`.
        """
        if self.status is not Status.completed:
            return None
        found: Any = self.record
        for key in metric.split("."):
            if isinstance(found, Mapping):
                found = found.get(key)
            elif isinstance(found, list) and re.fullmatch(r"-?\d+", key) and -len(found) <= int(key) < len(found):
                found = found[int(key)]
            else:
                return None
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return float(found) * self.quantity(metric).factor if is_number else None

    def quantity(self, metric: str) -> Quantity:
        """The kind of a number in the record.

        Args:
            metric: as `value` takes it.
        """
        return quantity(metric, self.figures)

    @functools.cached_property
    def figures(self) -> Mapping[str, RecordedFigure]:
        """The figures of the objective by name, the primary one first."""
        return recorded_figures(self.record)

    @property
    def primary(self) -> RecordedFigure | None:
        """The figure by which the run is judged; None where the record does not have it yet."""
        objective, earlier = self.config.get("objective"), ADDED["objective"]
        # A record of an earlier version has been given its objective, and no figures.
        known = not isinstance(objective, Mapping) or objective.get("name") == earlier["name"]
        return primary_figure(self.record) if self.record.get("figures") or known else None

    def undefined(self, metric: str) -> str:
        """The reason why the run has no such value, if it recorded one; otherwise empty.

        Args:
            metric: as `value` takes it.
        """
        if self.status is not Status.completed or self.value(metric) is not None:
            return ""
        reasons = self.record.get("undefined")
        pose = re.fullmatch(_OF_POSE, metric)
        reason = reasons.get(pose[1]) if isinstance(reasons, Mapping) and pose else None
        placement = self.config.get("placement")
        untransformed = isinstance(placement, Mapping) and placement.get("at") == []
        # Runs of earlier versions say nothing, and the training loop has no θ to measure.
        of_theta = (pose and f"{pose[1]}_identity" in self.record) or re.fullmatch(_OF_THETA, metric)
        if reason is None and untransformed and of_theta:
            return "the network has no transformer"
        return str(reason or "")


def find_runs(directories: Sequence[Path], progress: Progress = iter, *, none_begun: bool = False) -> list[Run]:
    """Every run in or below the directories, once each, in natural order of their names (2 before 10).

    Args:
        directories: of runs or sweeps, or folders above them; a metrics.json stands for its directory.
        progress: wraps the list of paths while they are read.
        none_begun: True to return an empty list where there is no run.

    Raises:
        InputError: when a directory does not exist, or there is no run in any of them.
    """
    found: dict[Path, Path] = {}
    for directory in directories:
        if not directory.exists():
            raise InputError(f"expected the directory of a run or a sweep, but {directory} does not exist")
        for path in _run_dirs(directory):
            found.setdefault(path.resolve(), path)
    if not found and not none_begun:
        raise InputError(
            f"there is no run in {', '.join(map(str, directories))}: found no {FILE} there or in any folder below"
        )
    runs = [_read(path) for path in progress(sorted(found.values(), key=_natural))]
    records = iter(in_terms_of_this_version([run.record for run in runs if run.record]))
    return [replace(run, record=next(records)) if run.record else run for run in runs]


def find_jobs_not_begun(directories: Sequence[Path]) -> list[Job]:
    """The listed jobs without a record of every sweep in or below the directories.

    Args:
        directories: as `find_runs` takes them.
    """
    sweeps: dict[Path, Path] = {}
    for directory in directories:
        for folder, names, _ in os.walk(directory):
            if FOLDER in names:
                sweeps.setdefault(Path(folder).resolve(), Path(folder))
    return [job for path in sorted(sweeps.values(), key=_natural) for job in jobs_not_begun(path)]


def primary_figures(runs: Iterable[Run]) -> list[RecordedFigure]:
    """The primary figures of runs, one for each name, in the order of the runs; the error where no run has any.

    Args:
        runs: with their records.
    """
    found = {figure.name: figure for run in runs if (figure := run.primary) is not None}
    return list(found.values()) or [ERROR]


def quantity_in(runs: Iterable[Run], metric: str) -> Quantity:
    """The kind of a number in several records; one without unit and direction where they disagree.

    Args:
        runs: of a table or of a cell.
        metric: as `Run.value` takes it.
    """
    runs = list(runs)
    having = [run for run in runs if run.value(metric) is not None]
    kinds = {run.quantity(metric) for run in having or runs}
    if not having:
        kinds.discard(Quantity())  # of records that do not have the figure yet
    return quantity(metric) if not kinds else kinds.pop() if len(kinds) == 1 else Quantity()


def metrics_of(runs: Iterable[Run]) -> list[str]:
    """The sorted names of numbers in the records of completed runs, without those inside lists."""
    return sorted({name for run in runs if run.status is Status.completed for name in _numbers(run.record)})


def _run_dirs(directory: Path) -> Iterator[Path]:
    if directory.name == FILE:
        yield directory.parent
        return
    for folder, _, files in os.walk(directory):
        if FILE in files:
            yield Path(folder)


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    # Numbers compare by value: job 2 of a sweep precedes job 10.
    pieces = re.split(r"(\d+)", str(path))
    return [(piece.isdigit(), int(piece) if piece.isdigit() else 0, piece) for piece in pieces]


def _read(path: Path) -> Run:
    try:
        record = read_record(path)
    except (ValueError, OSError, RecursionError) as error:
        return Run(path, Status.broken, f"{FILE} cannot be read: {error}")
    if record is None:
        return Run(path, Status.broken, f"{FILE} no longer exists")
    if not isinstance(record.get("config"), dict):
        return Run(path, Status.broken, f"{FILE} has no config")
    if found := damage(record):
        return Run(path, Status.broken, f"{FILE}: {found}")
    try:
        status = Status(state_of(path) or str(record.get("status")))
    except ValueError:
        return Run(path, Status.broken, f"{FILE}: expected a status, got {record.get('status')!r}")
    return Run(path, status, _reason(path, status, record), record)


def _reason(path: Path, status: Status, record: Mapping[str, Any]) -> str:
    if status is Status.failed:
        return str(record.get("error", "no error was recorded"))
    training = record["config"].get("training")
    epochs = training.get("epochs", "?") if isinstance(training, dict) else "?"
    if status is Status.interrupted:
        return f"stopped after {record.get('epoch', 0)} of {epochs} epochs"
    if status in (Status.running, Status.died):
        written = datetime.fromtimestamp((path / FILE).stat().st_mtime)
        return f"{record.get('epoch', 0)} of {epochs} epochs, last update {written:%Y-%m-%d %H:%M:%S}"
    return ""


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping) and (prefix or name != "config"):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + name
