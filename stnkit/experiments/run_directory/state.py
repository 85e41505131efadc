"""The state of a run directory: its record, and whether the process that wrote it is still there."""

import enum
from pathlib import Path

from stnkit.experiments.run_directory.lock import is_locked
from stnkit.experiments.run_directory.record import read_record


class State(enum.StrEnum):
    """The state of a run."""

    completed = "completed"
    failed = "failed"  # with its error in the record
    interrupted = "interrupted"  # by a signal
    running = "running"
    died = "died"  # killed, or its machine went down


def state_of(run_dir: Path, *, own: bool = False) -> State | None:
    """The state of a run, or None where no run has begun.

    Args:
        run_dir: perhaps of a run.
        own: True for the process that works in the directory, or is about to: a run that it finds there has died.

    Raises:
        ValueError: when its record is damaged, or is not of a run.
    """
    state = _recorded(run_dir)
    if state is State.running and (own or not is_locked(run_dir)):
        # Read again: it may have ended between the two looks.
        state = _recorded(run_dir)
        return State.died if state is State.running else state
    return state


def _recorded(run_dir: Path) -> State | None:
    record = read_record(run_dir)
    return None if record is None else State(str(record.get("status")))
