"""The jobs of a sweep, in a folder of its directory: a file for each, so that processes need no lock."""

import hashlib
import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stnkit.experiments.run_directory.record import FILE
from stnkit.experiments.run_directory.run_control import RUN_CONTROL
from stnkit.files.atomic import write_atomically
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


def list_jobs(
    sweep_dir: Path, jobs: Sequence[Sequence[str]], identities: Sequence[str | None] | None = None
) -> tuple[Path, ...]:
    """Write the list of a sweep that begins; jobs of an earlier sweep in that directory stay in it.

    A job that is in the list, perhaps by other overrides of equal meaning, stays as it is. It returns the file of each.

    Args:
        sweep_dir: of the sweep.
        jobs: the overrides of each.
        identities: of the jobs; None for one that is not known, or for all.
    """
    folder = sweep_dir / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    entries = _entries(folder)
    files = []
    for number, (overrides, identity) in enumerate(zip(jobs, identities or [None] * len(jobs), strict=True)):
        relevant = _relevant(overrides)
        found = _find(entries, relevant, identity)
        new: dict[str, Any] = {"number": number, "overrides": relevant, "run_dir": None, "identity": None}
        entry = entries[found] if found else new
        if identity is not None and entry["identity"] != identity:
            # Of a list without identities; or of another job, where an edited file has changed what the overrides mean.
            entry = entry | {"identity": identity, "run_dir": None if entry["identity"] else entry["run_dir"]}
        path = _path(folder, entry["overrides"], entry["identity"])
        if entries.get(path) != entry:
            _write(path, entry)
            entries[path] = entry
        if found and found != path:
            del entries[found]
            found.unlink(missing_ok=True)
        files.append(path)
    return tuple(dict.fromkeys(files))


def record_run_dir(sweep_dir: Path, overrides: Sequence[str], run_dir: Path, identity: str | None = None) -> None:
    """Note the run directory of a job that starts; nothing where the sweep has no list.

    Args:
        sweep_dir: of the sweep.
        overrides: of the job.
        run_dir: of the job.
        identity: of the job, if it is known.
    """
    folder = sweep_dir / FOLDER
    relevant = _relevant(overrides)
    path = _path(folder, relevant, identity)
    entries = {path: entry} if (entry := _entry(path)) else _entries(folder)
    if found := _find(entries, relevant, identity):
        _write(found, entries[found] | {"run_dir": os.path.relpath(run_dir, sweep_dir)})


def jobs_not_begun(sweep_dir: Path, files: Collection[Path] | None = None) -> list[Job]:
    """The listed jobs without a record, each with those of its overrides in which the jobs of the sweep differ.

    Args:
        sweep_dir: perhaps of a sweep.
        files: of the jobs, as `list_jobs` returned them; None for all of the directory.
    """
    entries = _entries(sweep_dir / FOLDER)
    listed = sorted(
        (entry for path, entry in entries.items() if files is None or path in files),
        key=lambda job: (job["number"], job["overrides"]),
    )
    common = set.intersection(*(set(job["overrides"]) for job in listed)) if len(listed) > 1 else set()
    return [
        Job(sweep_dir, tuple(word for word in job["overrides"] if word not in common))
        for job in listed
        if job["run_dir"] is None or not _is_file(sweep_dir / job["run_dir"] / FILE)
    ]


def _find(entries: Mapping[Path, Mapping[str, Any]], relevant: list[str], identity: str | None) -> Path | None:
    """The file of a job: that of its identity, else that of its overrides in any order."""
    same = (path for path, entry in entries.items() if identity is not None and entry["identity"] == identity)
    words = sorted(relevant)
    alike = (path for path, entry in entries.items() if sorted(entry["overrides"]) == words)
    return next(same, None) or next(alike, None)


def _entries(folder: Path) -> dict[Path, dict[str, Any]]:
    """The jobs of a list by their files, without those that are damaged."""
    found = ((path, _entry(path)) for path in sorted(folder.glob("*.json")))
    return {path: entry for path, entry in found if entry is not None}


def _entry(path: Path) -> dict[str, Any] | None:
    """The content of the file of a job, or None where there is none, or one that is damaged."""
    try:
        values = json.loads(path.read_text())
        number, overrides, run_dir = values["number"], values["overrides"], values.get("run_dir")
        identity = values.get("identity")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    well_formed = (
        isinstance(number, int)
        and isinstance(overrides, list)
        and all(isinstance(word, str) for word in overrides)
        and isinstance(run_dir, str | None)
        and isinstance(identity, str | None)
    )
    entry = {"number": number, "overrides": overrides, "run_dir": run_dir, "identity": identity}
    return entry if well_formed else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # such as a name that is too long, or has a null byte
        return False


def _write(path: Path, values: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(values) + "\n")


def _path(folder: Path, relevant: list[str], identity: str | None) -> Path:
    """The file of a job: one in all processes, also where the overrides are in another order."""
    digest = identity or hashlib.sha256(json.dumps(sorted(relevant)).encode()).hexdigest()
    return folder / f"{digest[:16]}.json"


def _relevant(overrides: Sequence[str]) -> list[str]:
    """The overrides without those of options that control the run: of the application, and declared by components."""
    control = set(RUN_CONTROL)
    for found in plugin_registry().registered:
        control |= {f"{found.kind}.{option}" for option in run_control_options(found.component)}
    return [word for word in overrides if word.split("=", 1)[0].lstrip("+~") not in control]
