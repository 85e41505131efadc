"""The jobs of a sweep with their configs, checked before the first of them runs."""

import contextlib
from collections.abc import Iterator
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError, OmegaConfBaseException

from stnkit.cli.checked_config import checked_config
from stnkit.cli.hydra_errors import sentence
from stnkit.cli.hydra_internals import job_config, job_overrides
from stnkit.cli.sweep_job import SweepJob
from stnkit.cli.sweep_subdirs import check_directories, chosen_directory
from stnkit.errors import InputError, StnkitError
from stnkit.experiments.run_directory.directories import plain_config
from stnkit.experiments.run_directory.job_identity import identity_of


class SweepRefused(BaseException):
    """A mistake in the options of a sweep. No Exception: Hydra turns those of a callback into warnings."""


def sweep_jobs(config: DictConfig) -> list[SweepJob] | None:
    """The jobs of a sweep, or None for a sweeper that decides on them as it goes.

    Args:
        config: composed, with its node `hydra`.

    Raises:
        SweepRefused: for an unknown name, a wrong type or a value that is missing in one of them, or one
            directory for two of them.
    """
    with _mistakes_refused():
        if (overrides := job_overrides(config)) is None:
            return None
        jobs, directories = [], []
        for number, words in enumerate(overrides):
            composed = job_config(config, words)
            jobs.append(SweepJob(words, _checked(composed)))
            directories.append(chosen_directory(composed, number))
        check_directories(jobs, directories)
        return jobs


def identity_if_resolved(config: DictConfig) -> str | None:
    """The identity of a job that starts, or None where its config cannot be resolved: the job tells of it next.

    Args:
        config: composed.
    """
    try:
        return identity_of(plain_config(config))
    except OmegaConfBaseException:
        return None


def _checked(composed: DictConfig) -> dict[str, Any] | None:
    try:
        return checked_config(composed, composed.hydra.runtime)
    except InputError as error:
        cause = error.__cause__
        if isinstance(cause, InterpolationResolutionError) and not isinstance(cause, InterpolationKeyError):
            return None  # such as the number of the job
        raise


@contextlib.contextmanager
def _mistakes_refused() -> Iterator[None]:
    try:
        yield
    except StnkitError as error:
        raise SweepRefused(str(error)) from error
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise SweepRefused(sentence(error)) from error
