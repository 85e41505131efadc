"""The earlier run in the directory of a run that is to begin: resumed, kept, or deleted."""

from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig

from stnkit.cli import sweeps
from stnkit.cli.hydra_internals import task_overrides
from stnkit.errors import InputError
from stnkit.experiments.run_directory import directories
from stnkit.experiments.run_directory.job_identity import identity_in, identity_of
from stnkit.experiments.run_directory.occupancy import check_free, delete_run, is_left, results_in
from stnkit.experiments.run_directory.record import FILE


def config_to_train(
    config: dict[str, Any], run_dir: Path, of_saved_config: list[str], *, in_sweep: bool
) -> dict[str, Any] | None:
    """The config to train with, after the directory is made ready for it; None where an equal run is completed.

    Args:
        config: composed and checked, as plain values.
        run_dir: perhaps of an earlier run.
        of_saved_config: overrides that no user has given, since they select the components of the run to resume.
        in_sweep: True for a job of a sweep.

    Raises:
        InputError: when the run cannot be resumed, or its directory is that of another job.
        OccupiedError: when a new run would destroy results.
    """
    if config["resume"] is not None:
        if in_sweep:
            raise InputError(sweeps.NO_RESUME)
        directories.check_stays(config, run_dir)
        given = [word for word in task_overrides(HydraConfig.get()) if word not in of_saved_config]
        return directories.config_to_resume(config, given)
    if config["skip_completed"] or _ran_meanwhile(run_dir):
        earlier = directories.earlier_status(config, run_dir)
        if earlier == "completed":
            return None
        if earlier:
            return config | {"resume": str(run_dir)}
    _make_room(config, run_dir)
    return config


def _ran_meanwhile(run_dir: Path) -> bool:
    """True where an equal job has run since the sweep began: of a sweeper that proposes it again, or another sweep."""
    path = run_dir / FILE
    return sweeps.began_ns is not None and path.is_file() and path.stat().st_mtime_ns >= sweeps.began_ns


def _make_room(config: dict[str, Any], run_dir: Path) -> None:
    """Delete what an earlier run has left, if it may go, and save the config of the new one."""
    other_job = _ran_meanwhile(run_dir) and not _is_of(config, run_dir)
    if other_job and (results := results_in(run_dir)):
        raise InputError(
            f"hydra.sweep.subdir: expected another directory for each job, got one that holds {results}, of another "
            "job of this sweep"
        )
    same_job_again = config["skip_completed"] and _is_of(config, run_dir)
    if not (config["overwrite"] or same_job_again):
        check_free(run_dir)
    if is_left(run_dir):  # a new run must not go on from the checkpoint of a failed one
        from stnkit.experiments.loop.new_run import check_new_run  # imports Lightning

        check_new_run(config, run_dir)  # a mistake must delete nothing
        delete_run(run_dir)
    directories.save_config(config, run_dir)


def _is_of(config: dict[str, Any], run_dir: Path) -> bool:
    """True where the directory is that of the job which the config is."""
    return identity_in(run_dir) == identity_of(config)
