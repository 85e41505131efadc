"""A lock for run directories: one process at a time works in each."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from stnkit.errors import StnkitError

FILE = ".lock"


class BusyError(StnkitError):
    """Another process is working in that run directory."""


@contextlib.contextmanager
def run_lock(run_dir: Path) -> Iterator[None]:
    """Hold the lock of a run directory. The system releases it when the process ends, also when it is killed.

    Args:
        run_dir: created if missing.

    Raises:
        BusyError: when another process holds it.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / FILE).open("a") as file:
        try:
            import fcntl
        except ImportError:  # not on Windows
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(f"another process is running in {run_dir}") from error
        except OSError:
            pass  # a file system without locks
        yield
