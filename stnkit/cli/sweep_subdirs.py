"""The directories of the jobs of a sweep where the user names them: no two jobs have one."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from stnkit.cli.hydra_internals import seen_by_resolvers
from stnkit.cli.sweep_job import SweepJob
from stnkit.errors import InputError

# The resolver of the default, which claims a directory of its own for each job.
CLAIMING = "stnkit.job_dir"


def chosen_directory(config: DictConfig, number: int) -> Path | None:
    """The directory that a user has named for a job; None where it is the default, or only the running job knows it.

    Args:
        config: of the job, composed, with its node `hydra`.
        number: of the job in the sweep.
    """
    sweep: Any = OmegaConf.to_container(config.hydra.sweep, resolve=False)
    if CLAIMING in str(sweep["subdir"]):
        return None
    with open_dict(config):
        config.hydra.job.num = config.hydra.job.id = number
    try:
        with seen_by_resolvers(config):
            return Path(str(config.hydra.sweep.dir), str(config.hydra.sweep.subdir))
    except OmegaConfBaseException:
        return None


def check_directories(jobs: Sequence[SweepJob], directories: Sequence[Path | None]) -> None:
    """Refuse a sweep in which two jobs that differ would write into one directory.

    Args:
        jobs: of the sweep.
        directories: that of each; None where it is not known.

    Raises:
        InputError: names two jobs and their directory.
    """
    first: dict[Path, SweepJob] = {}
    for job, directory in zip(jobs, directories, strict=True):
        if directory is None:
            continue
        earlier = first.setdefault(directory.resolve(), job)
        if not _equal(earlier, job):
            raise InputError(
                f"hydra.sweep.subdir: expected another directory for each job, got {directory} "
                f"for both {_words(earlier, job)} and {_words(job, earlier)}"
            )


def _equal(one: SweepJob, other: SweepJob) -> bool:
    """True for two jobs of which only one runs."""
    if one.identity is None or other.identity is None:
        return one.overrides == other.overrides
    return one.identity == other.identity


def _words(job: SweepJob, other: SweepJob) -> str:
    """The overrides of a job that another one does not have."""
    return " ".join(word for word in job.overrides if word not in other.overrides) or " ".join(job.overrides)
