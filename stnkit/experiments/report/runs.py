"""The runs below any directories, finished or not, and what each says about itself."""

import enum
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from stnkit.errors import InputError
from stnkit.experiments.run_directory.record import FILE, read_record

# Wraps the list of what is read one by one, to show progress.
Progress = Callable[[Sequence[Path]], Iterable[Path]]


class Status(enum.StrEnum):
    """How far a run has come; "broken" is said of a record that cannot be read."""

    completed = "completed"
    failed = "failed"
    interrupted = "interrupted"
    running = "running"
    broken = "broken"


@dataclass(frozen=True)
class Run:
    """A run directory as it lies on disk.

    Args:
        path: of the directory.
        status: how far it has come.
        reason: why it is not completed; empty when it is.
        record: what its metrics.json holds; empty when it is broken.
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

    @property
    def seed(self) -> Any:
        """The seed, or None where the record names none."""
        return self.record.get("seed", self.config.get("seed"))

    def value(self, metric: str) -> float | None:
        """A number of the record of a completed run, or None where it has none.

        Args:
            metric: its name; a dotted one goes into mappings and lists, `pose.rotation.3`, `history.-1.train_loss`.
        """
        if self.status is not Status.completed:
            return None
        found: Any = self.record
        for part in metric.split("."):
            if isinstance(found, Mapping):
                found = found.get(part)
            elif isinstance(found, list) and re.fullmatch(r"-?\d+", part) and -len(found) <= int(part) < len(found):
                found = found[int(part)]
            else:
                return None
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None


def find_runs(directories: Sequence[Path], progress: Progress = iter) -> list[Run]:
    """Every run in or below the directories, once each, in the order of their names (2 before 10).

    Args:
        directories: of runs, sweeps, or anything above them; a metrics.json stands for its directory.
        progress: wraps the list of paths while they are read.

    Raises:
        InputError: when a directory does not exist, or there is no run in any of them.
    """
    found: dict[Path, Path] = {}
    for directory in directories:
        if not directory.exists():
            raise InputError(f"{directory} does not exist; name the directories of runs or sweeps")
        for path in _run_dirs(directory):
            found.setdefault(path.resolve(), path)
    if not found:
        raise InputError(
            f"no run in {', '.join(map(str, directories))}: looked for {FILE} there and in all folders below"
        )
    return [_read(path) for path in progress(sorted(found.values(), key=_natural))]


def metrics_of(runs: Iterable[Run]) -> list[str]:
    """The names of the numbers that completed runs have, sorted; those in lists and per epoch are left out."""
    return sorted({name for run in runs if run.status is Status.completed for name in _numbers(run.record)})


def _run_dirs(directory: Path) -> Iterator[Path]:
    if directory.name == FILE:
        yield directory.parent
        return
    for folder, _, files in os.walk(directory):
        if FILE in files:
            yield Path(folder)


def _natural(path: Path) -> list[tuple[bool, int, str]]:
    # Numbers by value: job 2 of a sweep comes before job 10.
    parts = re.split(r"(\d+)", str(path))
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def _read(path: Path) -> Run:
    try:
        record = read_record(path)
    except (ValueError, OSError, RecursionError) as error:
        return Run(path, Status.broken, f"{FILE} cannot be read: {error}")
    if record is None:
        return Run(path, Status.broken, f"{FILE} is gone")
    if not isinstance(record.get("config"), dict):
        return Run(path, Status.broken, f"{FILE} holds no config")
    try:
        status = Status(str(record.get("status")))
    except ValueError:
        return Run(path, Status.broken, f"{FILE} has the status {record.get('status')!r}, which no run has")
    return Run(path, status, _reason(path, status, record), record)


def _reason(path: Path, status: Status, record: Mapping[str, Any]) -> str:
    if status is Status.failed:
        return str(record.get("error", "it did not say why"))
    training = record["config"].get("training")
    epochs = training.get("epochs", "?") if isinstance(training, dict) else "?"
    if status is Status.interrupted:
        return f"stopped after {record.get('epoch', 0)} of {epochs} epochs"
    if status is Status.running:
        written = datetime.fromtimestamp((path / FILE).stat().st_mtime)
        return f"{record.get('epoch', 0)} of {epochs} epochs, last heard of at {written:%Y-%m-%d %H:%M:%S}"
    return ""


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping) and (prefix or name != "config"):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield prefix + name
