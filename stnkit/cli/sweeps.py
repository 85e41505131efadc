"""The lines that `stnkit train -m` prints about its jobs and about the end of the sweep, and its answer to signals."""

import contextlib
import os
import signal
import sys
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from stnkit.cli import launcher
from stnkit.cli.dry_sweep import DryRunAsked, dry_jobs, is_dry_sweep, varying_keys
from stnkit.cli.hydra_internals import jobs_composed, parse_override, swept_keys, task_overrides
from stnkit.cli.sweep_end import Sweep, SweepFailed, SweepInterrupted, print_error
from stnkit.cli.sweep_jobs import SweepRefused, identity_if_resolved, sweep_jobs
from stnkit.cli.workers import Worker, WorkersOfSweep
from stnkit.errors import RenamedWarning, first_line
from stnkit.experiments.loop.interruption import handling_stops
from stnkit.experiments.run_directory.job_list import list_jobs, record_run_dir
from stnkit.experiments.run_directory.own_jobs import begin_notes, note_job
from stnkit.experiments.run_directory.record import RunRecord, failure, read_record
from stnkit.plugin_system import PluginWarning
from stnkit.warning_lines import show_warnings_in_one_line

TRACEBACK = "traceback.txt"
NO_RESUME = "resume continues a single run; continue a sweep with hydra.sweep.dir=SWEEP_DIR skip_completed=true"

# Sweeps of this process; empty in the workers of a launcher.
started: list[Sweep] = []
# Where the jobs are noted of the sweep that this process runs jobs of, also in the workers.
notes: Path | None = None
# When that sweep began, by the clock of the file system.
began_ns: int | None = None
# The answer to signals while a sweep runs in this process.
_answers = contextlib.ExitStack()
# This process, where it is a worker of joblib.
worker: Worker | None = None


def end() -> None:
    """Answer signals as before the sweep."""
    _answers.close()


def speak_as_worker() -> None:
    """Print warnings in one line each, without those that the sweep's own process has printed."""
    show_warnings_in_one_line()
    for category in (PluginWarning, RenamedWarning):
        warnings.simplefilter("ignore", category)


def in_this_process() -> bool:
    """True where the jobs of a sweep run one after another, in the process that started it."""
    return bool(started)


def parent_speaks() -> bool:
    """True in a worker whose parent names the jobs that were stopped."""
    return worker is not None and not worker.orphaned


class JobAnnouncer(Callback):
    """Prints a line at the start of every job. Hydra sends a copy of it to every worker.

    Attributes:
        n: number of jobs, or None for a sweeper that decides on them as it goes.
        notes: folder in which the jobs of the sweep are noted, None for a single run.
        began_ns: time at which the sweep began, likewise.
        varying: keys of the overrides that differ between jobs, or are swept.
        fixed: keys to which the command line gives one value for all jobs.
        parent: id of the process that starts workers on this machine and answers for them, else None.
        process: id of the process that started the sweep.
    """

    def __init__(self) -> None:
        self.n: int | None = None
        self.notes: Path | None = None
        self.began_ns: int | None = None
        self.varying: set[str] = set()
        self.fixed: set[str] = set()
        self.parent: int | None = None
        self.process = os.getpid()

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Of a worker it is the first call here: what it resolves of its config next may load plugins.
        vars(self).update(state)
        if self.process != os.getpid():
            speak_as_worker()

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        if config.dry_run:
            raise DryRunAsked(config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        if config.resume is not None:
            raise SweepRefused(NO_RESUME)
        if (sentence := launcher.no_sweep()) and not is_dry_sweep(config):
            raise SweepRefused(sentence)
        for word in task_overrides(config.hydra):
            if word.startswith("dry_run=") and not isinstance(parse_override(word)[1], bool):
                raise SweepRefused(f"dry_run: expected one value for the whole sweep, got {word}")
        if is_dry_sweep(config):
            raise DryRunAsked(config, dry_jobs(config))
        jobs = sweep_jobs(config)
        directory = Path(config.hydra.sweep.dir)
        directory.mkdir(parents=True, exist_ok=True)
        self.notes = begin_notes(directory)
        self.began_ns = self.notes.stat().st_mtime_ns
        listed: tuple[Path, ...] = ()
        if jobs is not None:
            _answers.enter_context(jobs_composed())
            listed = list_jobs(directory, [job.overrides for job in jobs], [job.identity for job in jobs])
            self.n = len(jobs)
            self.varying = varying_keys(jobs, task_overrides(config.hydra))
        else:
            words = task_overrides(config.hydra)
            self.fixed = {word.split("=", 1)[0] for word in words} - swept_keys(words)
        started.append(Sweep(directory, self.notes, self.began_ns, listed, bool(config.fail_fast)))
        count = "jobs" if self.n is None else f"{self.n} job{'s' * (self.n != 1)}"
        print(f"sweep       {count} in {directory}", flush=True)
        if config.hydra.launcher._target_.endswith(".JoblibLauncher") and hasattr(signal, "pthread_sigmask"):
            self.parent = os.getpid()
            workers = WorkersOfSweep(directory, _stopped_by)
            workers.open()
            _answers.callback(workers.close)
        else:
            _answers.enter_context(handling_stops(_stop))
            _answers.callback(_end_ray)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        global notes, began_ns, worker
        notes, began_ns = self.notes, self.began_ns
        if config.hydra.mode is not RunMode.MULTIRUN:
            return
        if self.parent == os.getpid():  # joblib with n_jobs=1
            self.parent = None
            _answers.close()
            _answers.enter_context(handling_stops(_stop))
        elif self.parent is not None and worker is None:
            worker = Worker(self.parent)
        words, run_dir = task_overrides(config.hydra), Path(config.hydra.runtime.output_dir)
        record_run_dir(Path(config.hydra.sweep.dir), words, run_dir, identity_if_resolved(config))
        keys = [word.split("=", 1)[0] for word in words]
        told = set(keys) - self.fixed if self.n is None else self.varying
        overrides = [word for word, key in zip(words, keys, strict=True) if key in told]
        of = "" if self.n is None else f" of {self.n}"
        print(f"job {config.hydra.job.num + 1}{of}: {' '.join(overrides)}".rstrip(": "), flush=True)


def note(run_dir: Path, *, refused: bool = False) -> None:
    """Note a job that this process works on, if it is one of a sweep.

    Args:
        run_dir: of the job.
        refused: True if it leaves the earlier run there as it was.
    """
    if notes is not None:
        note_job(notes, run_dir, refused=refused)


def record_failure(run_dir: Path, error: BaseException) -> None:
    """Record the failure of a job that failed before it could record it itself.

    Args:
        run_dir: of the job.
        error: why it failed.
    """
    record: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        record = read_record(run_dir) or {}
    if record.get("status") not in ("failed", None):  # of an earlier run: one that has trained records itself
        note(run_dir, refused=True)
    elif record.get("status") is None:
        RunRecord(run_dir, record).update(**failure(error))


def print_unexpected(run_dir: Path, error: BaseException) -> None:
    """Print one line about an error that is not the user's, and write its traceback to a file.

    Args:
        run_dir: of the job.
        error: the one that is being handled.
    """
    path = run_dir / TRACEBACK
    path.write_text(traceback.format_exc())
    print_error(f"{run_dir}: {first_line(error, typed=True)} (traceback in {path})")


def _stop(number: int, frame: FrameType | None) -> None:
    raise SweepInterrupted(number)


def _end_ray() -> None:
    """Let Ray kill its workers now, and not when this process ends, so that their jobs have stopped."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


def _stopped_by(number: int) -> BaseException:
    """The end of a sweep in workers, which send a SIGUSR1 when they stop the sweep."""
    if number == signal.SIGUSR1 and started[-1].fail_fast and started[-1].failures():
        return SweepFailed()
    return SweepInterrupted(number)
