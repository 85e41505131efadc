"""A lock for run directories: one process at a time works in each."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from stnkit.errors import StnkitError
from stnkit.files.locks import try_lock

FILE = ".lock"
# Times that a lock is tried, and seconds between them: `is_locked` holds it for a moment.
_TRIES, _PAUSE = 5, 0.02


class BusyError(StnkitError):
    """Another process is working in that run directory."""


@contextlib.contextmanager
def run_lock(run_dir: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock of a run directory. The system releases it when the process ends, also when it is killed.

    It gives a function that writes the id of this process into the file, for `holder`: a process that only looks at a
    completed run leaves the file as it is.

    Args:
        run_dir: created if missing.

    Raises:
        BusyError: when another process holds it.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / FILE).open("a") as file:
        if not _lock(file):
            raise BusyError(f"another process is running in {run_dir}")

        def sign() -> None:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()

        yield sign


def is_locked(run_dir: Path) -> bool:
    """True if a process is working in a run directory. Without locks, as on some file systems, it is assumed to.

    Args:
        run_dir: perhaps of a run.
    """
    try:
        with (run_dir / FILE).open() as file:
            return try_lock(file.fileno(), shared=True) is not True
    except FileNotFoundError:
        return False
    except OSError:
        return True


def holder(run_dir: Path) -> int | None:
    """The process that trains in a run directory, if it is on this machine, or None.

    Args:
        run_dir: perhaps of a run.
    """
    try:
        pid = int((run_dir / FILE).read_text())
        return pid if is_locked(run_dir) else None
    except (OSError, ValueError):
        return None


def _lock(file: IO[str]) -> bool:
    """False while another process holds it; True where there are no locks."""
    for left in reversed(range(_TRIES)):
        if try_lock(file.fileno()) is not False:
            return True
        if left:
            time.sleep(_PAUSE)
    return False
