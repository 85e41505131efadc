"""The jobs of a sweep, in a folder of its directory: a file for each, so that processes need no lock."""

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stnkit.experiments.run_directory.record import FILE, write_atomically
from stnkit.experiments.run_directory.run_control import RUN_CONTROL
from stnkit.plugin_system import plugin_registry, run_control_options

FOLDER = ".jobs"


@dataclass(frozen=True)
class Job:
    """A job of a sweep that has no record yet.

    Args:
        sweep_dir: of the sweep.
        overrides: of its config, `KEY=VALUE`.
    """

    sweep_dir: Path
    overrides: tuple[str, ...]


def list_jobs(sweep_dir: Path, jobs: Iterable[Sequence[str]]) -> None:
    """Write the list of a sweep that begins; jobs of an earlier sweep in that directory stay in it.

    Args:
        sweep_dir: of the sweep.
        jobs: the overrides of each.
    """
    (sweep_dir / FOLDER).mkdir(parents=True, exist_ok=True)
    for number, overrides in enumerate(jobs):
        path = _path(sweep_dir, overrides)
        if _entry(path) is None:
            _write(path, {"number": number, "overrides": _relevant(overrides)})


def record_run_dir(sweep_dir: Path, overrides: Sequence[str], run_dir: Path) -> None:
    """Note the run directory of a job that starts; nothing where the sweep has no list.

    Args:
        sweep_dir: of the sweep.
        overrides: of the job.
        run_dir: of the job.
    """
    path = _path(sweep_dir, overrides)
    if entry := _entry(path):
        _write(path, entry | {"run_dir": os.path.relpath(run_dir, sweep_dir)})


def jobs_not_begun(sweep_dir: Path) -> list[Job]:
    """The listed jobs without a record, each with those of its overrides in which the jobs of the sweep differ.

    Args:
        sweep_dir: perhaps of a sweep.
    """
    entries = map(_entry, (sweep_dir / FOLDER).glob("*.json"))
    listed = sorted(filter(None, entries), key=lambda job: (job["number"], job["overrides"]))
    common = set.intersection(*(set(job["overrides"]) for job in listed)) if len(listed) > 1 else set()
    return [
        Job(sweep_dir, tuple(word for word in job["overrides"] if word not in common))
        for job in listed
        if job["run_dir"] is None or not _is_file(sweep_dir / job["run_dir"] / FILE)
    ]


def _entry(path: Path) -> dict[str, Any] | None:
    """The content of the file of a job, or None where there is none, or one that is damaged."""
    try:
        values = json.loads(path.read_text())
        number, overrides, run_dir = values["number"], values["overrides"], values.get("run_dir")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    well_formed = (
        isinstance(number, int)
        and isinstance(overrides, list)
        and all(isinstance(word, str) for word in overrides)
        and isinstance(run_dir, str | None)
    )
    return {"number": number, "overrides": overrides, "run_dir": run_dir} if well_formed else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name that is too long, or has a null byte
        return False


def _write(path: Path, values: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(values) + "\n")


def _path(sweep_dir: Path, overrides: Sequence[str]) -> Path:
    """The file of a job: equal for jobs that differ only in the order of overrides and in what controls the run."""
    digest = hashlib.sha256(json.dumps(sorted(_relevant(overrides))).encode()).hexdigest()
    return sweep_dir / FOLDER / f"{digest[:16]}.json"


def _relevant(overrides: Sequence[str]) -> list[str]:
    """The overrides without those of options that control the run: of the application, and declared by components."""
    control = set(RUN_CONTROL)
    for found in plugin_registry().registered:
        control |= {f"{found.kind}.{option}" for option in run_control_options(found.component)}
    return [word for word in overrides if word.split("=", 1)[0].lstrip("+~") not in control]
