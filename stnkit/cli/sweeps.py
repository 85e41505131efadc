"""The lines that `stnkit train -m` prints about its jobs and about the end of the sweep, and its answer to signals."""

import contextlib
import dataclasses
import os
import shlex
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from stnkit import errors
from stnkit.cli import launcher
from stnkit.cli.dry_sweep import DryRunAsked, end_in_dry_run, is_dry_sweep, varying_keys
from stnkit.cli.hydra_internals import job_overrides, parse_override
from stnkit.cli.quoting import quoted_override
from stnkit.cli.workers import Worker, WorkersOfSweep
from stnkit.errors import RenamedWarning
from stnkit.experiments.loop.interruption import handling_stops
from stnkit.experiments.run_directory.job_list import jobs_not_begun, list_jobs, record_run_dir
from stnkit.experiments.run_directory.record import FILE, RunRecord, read_record
from stnkit.experiments.run_directory.state import State, state_of
from stnkit.plugin_system import PluginWarning

TRACEBACK = "traceback.txt"
# In the directory of a job that did not run, so that the earlier run there stays as it was.
REFUSED = ".refused"
NO_RESUME = "resume continues a single run; continue a sweep with hydra.sweep.dir=SWEEP_DIR skip_completed=true"


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep that this process has started.

    Args:
        directory: of all its jobs.
        started_ns: time of its start by the clock of the file system, which is the clock of the jobs' files too.
        fail_fast: True if the first job that fails ends the sweep.
    """

    directory: Path
    started_ns: int
    fail_fast: bool = False

    def failures(self) -> dict[Path, str]:
        """Run directory and error of every job that has failed since the sweep started."""
        records = {run_dir: read_record(run_dir) or {} for run_dir in self._jobs(State.failed)}
        return {run_dir: str(record.get("error")) for run_dir, record in records.items()}

    def print_end(self) -> int:
        """Name the jobs that failed and return the exit code: 2 if all errors are the user's, 1 for any other."""
        failures = self.failures()
        if refused := sorted(path.parent for path in self.directory.rglob(REFUSED) if self._is_new(path)):
            _print_error(
                f"{len(refused)} of the jobs did not run, and the earlier runs in their directories stay as they were: "
                f"{', '.join(map(str, refused))}; {self._hint()}, and overwrite=true runs all of them again"
            )
        if failures:
            directories = ", ".join(map(str, failures))
            _print_error(f"{len(failures)} of the jobs failed: {directories}; {self._hint()}")
        print(f"table       stnkit report {shlex.quote(str(self.directory))}")
        return _exit_code(failures) if failures else 2 * bool(refused)

    def print_early_end(self, error: BaseException) -> int:
        """Say that a signal, a failed job or an error of the launcher ended the sweep, and return the exit code.

        Args:
            error: the one that ended it.
        """
        failures = self.failures()
        if isinstance(error, SweepInterrupted):
            why = f"interrupted by {signal.Signals(error.signal_number).name}"
        elif isinstance(error, SweepFailed):
            why = f"fail_fast=true, and a job failed: {', '.join(map(str, failures))}"
        elif isinstance(error, KeyboardInterrupt):
            why = "interrupted by SIGINT"
        else:
            why = f"{type(error).__name__}: {error}".splitlines()[0]
        if stopped := self._jobs(State.interrupted, State.died):
            why += f"; {len(stopped)} of the jobs were stopped: {', '.join(map(str, stopped))}"
        if waiting := len(jobs_not_begun(self.directory)):
            why += f"; {waiting} of the jobs did not run"
        _print_error(f"the sweep ended early: {why}; {self._hint()}")
        if isinstance(error, SweepInterrupted):
            return 128 + error.signal_number
        if isinstance(error, SweepFailed):
            return _exit_code(failures)
        return 130 if isinstance(error, KeyboardInterrupt) else 1

    def _jobs(self, *states: State) -> list[Path]:
        """The run directories with one of these states, of jobs of this sweep."""
        found = []
        for path in sorted(self.directory.rglob(FILE)):
            with contextlib.suppress(ValueError, OSError):
                if self._is_new(path) and state_of(path.parent) in states:
                    found.append(path.parent)
        return found

    def _is_new(self, path: Path) -> bool:
        return path.stat().st_mtime_ns >= self.started_ns

    def _hint(self) -> str:
        directory = quoted_override("hydra.sweep.dir", self.directory)
        return f"the same command with {directory} skip_completed=true runs the unfinished jobs"


# Sweeps of this process; empty in the workers of a launcher.
started: list[Sweep] = []
# When the sweep began that this process runs jobs of, also in the workers; by the clock of the file system.
began_ns: int | None = None
# The answer to signals while a sweep runs in this process.
_answers = contextlib.ExitStack()
# This process, where it is a worker of joblib.
worker: Worker | None = None


class SweepInterrupted(KeyboardInterrupt):
    """A signal that ends the whole sweep, not only the job that received it.

    Args:
        signal_number: of the signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


class SweepRefused(BaseException):
    """A mistake in the options of a sweep. No Exception, as `DryRunAsked`."""


class SweepFailed(KeyboardInterrupt):
    """A job failed, and ends the whole sweep. Not an Exception, from which Hydra continues with the next job."""


def end() -> None:
    """Answer signals as before the sweep."""
    _answers.close()


def speak_as_worker() -> None:
    """Print warnings in one line each, without those that the sweep's own process has printed."""
    from stnkit.cli.main import show_warnings_in_one_line

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
        began_ns: time at which the sweep began, None for a single run.
        varying: keys of the overrides that differ between jobs.
        parent: id of the process that starts workers on this machine and answers for them, else None.
        process: id of the process that started the sweep.
    """

    def __init__(self) -> None:
        self.n: int | None = None
        self.began_ns: int | None = None
        self.varying: set[str] = set()
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
        for word in config.hydra.overrides.task:
            if word.startswith("dry_run=") and not isinstance(parse_override(word)[1], bool):
                raise SweepRefused(f"dry_run: expected one value for the whole sweep, got {word}")
        if is_dry_sweep(config):
            end_in_dry_run(config)
            return
        directory = Path(config.hydra.sweep.dir)
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory) as file:
            self.began_ns = Path(file.name).stat().st_mtime_ns
        jobs = job_overrides(config)
        if jobs is not None:
            list_jobs(directory, jobs)
            self.n = len(jobs)
            self.varying = varying_keys(jobs)
        started.append(Sweep(directory, self.began_ns, bool(config.fail_fast)))
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
        global began_ns, worker
        began_ns = self.began_ns
        if config.hydra.mode is not RunMode.MULTIRUN:
            return
        if self.parent == os.getpid():  # joblib with n_jobs=1
            self.parent = None
            _answers.close()
            _answers.enter_context(handling_stops(_stop))
        elif self.parent is not None and worker is None:
            worker = Worker(self.parent)
        words, run_dir = list(config.hydra.overrides.task), Path(config.hydra.runtime.output_dir)
        record_run_dir(Path(config.hydra.sweep.dir), words, run_dir)
        overrides = [word for word in words if word.split("=", 1)[0] in self.varying]
        of = "" if self.n is None else f" of {self.n}"
        print(f"job {config.hydra.job.num + 1}{of}: {' '.join(overrides)}".rstrip(": "), flush=True)


def record_failure(run_dir: Path, error: Exception) -> None:
    """Record the failure of a job that failed before it could record it itself.

    Args:
        run_dir: of the job.
        error: why it failed.
    """
    record: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        record = read_record(run_dir) or {}
    if record.get("status") not in ("failed", None):  # of an earlier run: one that has trained records itself
        (run_dir / REFUSED).write_text(f"{error}\n")
    elif record.get("status") is None:
        RunRecord(run_dir, record).update(status="failed", error=f"{type(error).__name__}: {error}")


def print_unexpected(run_dir: Path, error: Exception) -> None:
    """Print one line about an error that is not the user's, and write its traceback to a file.

    Args:
        run_dir: of the job.
        error: the one that is being handled.
    """
    path = run_dir / TRACEBACK
    path.write_text(traceback.format_exc())
    first = (str(error).splitlines() or [""])[0]
    _print_error(f"{run_dir}: {type(error).__name__}: {first} (traceback in {path})")


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


def _exit_code(failures: dict[Path, str]) -> int:
    """2 if all errors are mistakes of the user, 1 for any other."""
    names = tuple(f"{name}:" for name, kind in vars(errors).items() if isinstance(kind, type))
    return 2 if all(error.startswith(names) for error in failures.values()) else 1


def _print_error(sentence: str) -> None:
    print(f"stnkit train: {sentence}", file=sys.stderr, flush=True)
