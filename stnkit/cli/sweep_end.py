"""The end of a sweep: its last lines and its exit code, from what became of its own jobs."""

import contextlib
import dataclasses
import shlex
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stnkit import errors
from stnkit.cli.quoting import quoted_override
from stnkit.experiments.run_directory.job_list import jobs_not_begun
from stnkit.experiments.run_directory.own_jobs import end_notes, noted_jobs
from stnkit.experiments.run_directory.record import FILE, read_record
from stnkit.experiments.run_directory.state import State, state_of


class SweepInterrupted(KeyboardInterrupt):
    """A signal that ends the whole sweep, not only the job that received it.

    Args:
        signal_number: of the signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


class SweepFailed(KeyboardInterrupt):
    """A job failed, and ends the whole sweep. Not an Exception, from which Hydra continues with the next job."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep that this process has started.

    Args:
        directory: of all its jobs, and perhaps of those of other sweeps.
        notes: folder in which its jobs are noted.
        started_ns: time of its start by the clock of the file system, which is the clock of the jobs' files too.
        listed: files of its jobs in the list of the directory; none for a sweeper that decides on them as it goes.
        fail_fast: True if the first job that fails ends the sweep.
    """

    directory: Path
    notes: Path
    started_ns: int
    listed: tuple[Path, ...] = ()
    fail_fast: bool = False

    def failures(self) -> dict[Path, dict[str, Any]]:
        """Run directory and record of every job that has failed since the sweep started."""
        return {run_dir: read_record(run_dir) or {} for run_dir in self._jobs(State.failed)}

    def print_end(self) -> int:
        """Name the jobs that failed and return the exit code: 2 if all errors are the user's, 1 for any other."""
        failures = self.failures()
        if refused := [self.directory / name for name, refused in noted_jobs(self.notes).items() if refused]:
            print_error(
                f"{len(refused)} of the jobs did not run, and the earlier runs in their directories stay as they were: "
                f"{', '.join(map(str, refused))}; {self._hint()}, and overwrite=true runs all of them again"
            )
        if failures:
            directories = ", ".join(map(str, failures))
            print_error(f"{len(failures)} of the jobs failed: {directories}; {self._hint()}")
        print(f"table       stnkit report {shlex.quote(str(self.directory))}")
        end_notes(self.notes)
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
            why = errors.first_line(error, typed=True)
        if stopped := self._jobs(State.interrupted, State.died):
            why += f"; {len(stopped)} of the jobs were stopped: {', '.join(map(str, stopped))}"
        if waiting := len(jobs_not_begun(self.directory, self.listed)):
            why += f"; {waiting} of the jobs did not run"
        print_error(f"the sweep ended early: {why}; {self._hint()}")
        end_notes(self.notes)
        if isinstance(error, SweepInterrupted):
            return 128 + error.signal_number
        if isinstance(error, SweepFailed):
            return _exit_code(failures)
        return 130 if isinstance(error, KeyboardInterrupt) else 1

    def _jobs(self, *states: State) -> list[Path]:
        """The run directories with one of these states, of jobs that this sweep has worked on."""
        found = []
        for name, refused in noted_jobs(self.notes).items():
            run_dir = self.directory / name
            with contextlib.suppress(ValueError, OSError):
                if not refused and self._is_new(run_dir / FILE) and state_of(run_dir) in states:
                    found.append(run_dir)
        return found

    def _is_new(self, path: Path) -> bool:
        return path.stat().st_mtime_ns >= self.started_ns

    def _hint(self) -> str:
        directory = quoted_override("hydra.sweep.dir", self.directory)
        return f"the same command with {directory} skip_completed=true runs the unfinished jobs"


def print_error(sentence: str) -> None:
    """Print a sentence of the command to standard error.

    Args:
        sentence: without the name of the command.
    """
    print(f"stnkit train: {sentence}", file=sys.stderr, flush=True)


def _exit_code(failures: Mapping[Path, Mapping[str, Any]]) -> int:
    """2 if all errors are mistakes of the user, 1 for any other."""
    return 2 if all(map(_is_users, failures.values())) else 1


def _is_users(record: Mapping[str, Any]) -> bool:
    if "is_users_error" in record:
        return bool(record["is_users_error"])
    # Of an earlier version, which has recorded the name of the error alone.
    names = tuple(f"{name}:" for name, kind in vars(errors).items() if isinstance(kind, type))
    return str(record.get("error")).startswith(names)
