"""The jobs that a dry run of a sweep lists, found without writing anything."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from stnkit.cli.hydra_internals import parse_override, swept_keys, task_overrides
from stnkit.cli.sweep_job import SweepJob
from stnkit.cli.sweep_jobs import sweep_jobs
from stnkit.experiments.run_directory.directories import earlier_status
from stnkit.experiments.run_directory.job_identity import earlier_directory, identity_of


@dataclasses.dataclass(frozen=True)
class DryJob:
    """A job that a dry run of a sweep lists.

    Args:
        varying: its overrides in which the jobs differ, or are swept.
        would: with skip_completed, one of "completed", "continues" and "new"; else empty.
        same_as: number of the first job with the same identity, of which only one runs; None for a job that is
            the first.
    """

    varying: list[str]
    would: str = ""
    same_as: int | None = None


class DryRunAsked(BaseException):  # no Exception: Hydra turns those of a callback into warnings
    """The end of Hydra's work in a dry run, before it writes anything.

    Args:
        config: composed, with its node `hydra`.
        jobs: those of a sweep; None for a sweeper that decides on them as it goes.
    """

    def __init__(self, config: DictConfig, jobs: list[DryJob] | None = None) -> None:
        super().__init__()
        self.config = config
        self.jobs = jobs


def is_dry_sweep(config: DictConfig) -> bool:
    """True for a dry run of a sweep, whose config does not have the options of its jobs yet.

    Args:
        config: composed, with its node `hydra`.
    """
    words = [word for word in task_overrides(config.hydra) if word.startswith("dry_run=")]
    return bool(config.dry_run) or any(parse_override(word)[1] is True for word in words)


def varying_keys(jobs: Sequence[SweepJob], words: Sequence[str]) -> set[str]:
    """The keys of the overrides in which jobs differ, and of those that are swept, perhaps over equal values.

    Args:
        jobs: of a sweep.
        words: its overrides, `KEY=VALUE,VALUE,…`.
    """
    values = [dict(override.split("=", 1) for override in job.overrides) for job in jobs]
    differ = {key for key in values[0] if len({job[key] for job in values}) > 1} if values else set()
    return differ | swept_keys(words)


def dry_jobs(config: DictConfig) -> list[DryJob] | None:
    """The jobs of a sweep, or None for a sweeper that decides on them as it goes.

    Args:
        config: composed, with its node `hydra`.

    Raises:
        SweepRefused: for a mistake in one of them.
    """
    jobs = sweep_jobs(config)
    if jobs is None:
        return None
    varying = varying_keys(jobs, task_overrides(config.hydra)) - {"dry_run"}
    found, first = [], dict[str, int]()
    for number, job in enumerate(jobs, start=1):
        earlier = None if job.identity is None else first.setdefault(job.identity, number)
        same_as = earlier if earlier != number else None
        would = ""
        if job.config is not None and job.config["skip_completed"]:
            would = _would(job.config, Path(config.hydra.sweep.dir))
        words = [word for word in job.overrides if word.split("=", 1)[0] in varying]
        found.append(DryJob(words, would, same_as))
    return found


def _would(config: dict[str, Any], sweep_dir: Path) -> str:
    """The effect of skip_completed on a job; the lookup claims no directory."""
    name = earlier_directory(identity_of(config), sweep_dir)
    earlier = None if name is None else earlier_status(config, sweep_dir / name)
    return {"completed": "completed", "resumable": "continues"}.get(earlier or "", "new")
