"""The jobs of a sweep with their configs, checked before the first of them runs."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import InterpolationKeyError, InterpolationResolutionError, OmegaConfBaseException

from stnkit.cli.checked_config import checked_config
from stnkit.cli.hydra_errors import sentence
from stnkit.cli.hydra_internals import job_config, job_overrides
from stnkit.errors import InputError, StnkitError
from stnkit.experiments.run_directory.directories import plain_config
from stnkit.experiments.run_directory.job_identity import identity_of


class SweepRefused(BaseException):
    """A mistake in the options of a sweep. No Exception: Hydra turns those of a callback into warnings."""


@dataclasses.dataclass(frozen=True)
class SweepJob:
    """A job that is going to run.

    Args:
        overrides: of its config, `KEY=VALUE`.
        config: as plain values; None where it has values that only the running job can resolve.
    """

    overrides: Sequence[str]
    config: dict[str, Any] | None

    @property
    def identity(self) -> str | None:
        """That of its config, by which it finds its run directory again; None where that is not known yet."""
        return None if self.config is None else identity_of(self.config)


def sweep_jobs(config: DictConfig) -> list[SweepJob] | None:
    """The jobs of a sweep, or None for a sweeper that decides on them as it goes.

    Args:
        config: composed, with its node `hydra`.

    Raises:
        SweepRefused: for an unknown name, a wrong type or a value that is missing in one of them.
    """
    with _mistakes_refused():
        jobs = job_overrides(config)
        return None if jobs is None else [SweepJob(words, _checked(config, words)) for words in jobs]


def identity_if_resolved(config: DictConfig) -> str | None:
    """The identity of a job that starts, or None where its config cannot be resolved: the job tells of it next.

    Args:
        config: composed.
    """
    try:
        return identity_of(plain_config(config))
    except OmegaConfBaseException:
        return None


def _checked(config: DictConfig, words: Sequence[str]) -> dict[str, Any] | None:
    composed = job_config(config, words)
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
