"""The end of a sweep in workers on this machine: each running job saves its checkpoint before its worker ends.

joblib kills its workers as soon as its parent process is interrupted, and leaves them alone when it is killed. So the
signals of the parent are blocked: workers are started with them blocked, and answer only to the parent's SIGTERM. The
parent asks them to stop, waits for the jobs that run, and then lets joblib go on. A worker without parent stops itself.
"""

import _thread
import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from stnkit.experiments.loop.interruption import Interrupted, interruptible, stop_signals
from stnkit.experiments.run_directory.lock import FILE, holder

# Seconds that a running job has to save its checkpoint.
GRACE = 60.0
# Seconds between two looks at the parent process or at the jobs.
_PAUSE = 0.2


class WorkersOfSweep:
    """The parent's side, for one sweep.

    Args:
        directory: of the sweep.
        interrupted: makes the exception that ends the sweep from the number of the signal.
    """

    def __init__(self, directory: Path, interrupted: Callable[[int], BaseException]) -> None:
        self.directory = directory
        self.interrupted = interrupted
        self._asked = False
        self._closed = False
        self._signals = {*stop_signals(), signal.SIGUSR1}
        self._previous: dict[int, Any] = {}
        self._listener = threading.Thread(target=self._listen, daemon=True)

    def open(self) -> None:
        """Block the signals in this thread and in the processes that it starts, and listen to them in another one."""
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        self._previous = {number: signal.signal(number, self._stop) for number in self._signals}
        self._listener.start()

    def close(self) -> None:
        """Listen no more; the workers that are left are killed."""
        self._closed = True
        assert self._listener.ident is not None
        signal.pthread_kill(self._listener.ident, signal.SIGTERM)
        self._listener.join()
        if self._asked:
            for process in multiprocessing.active_children():
                process.kill()
                process.join()
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _listen(self) -> None:
        while True:
            number = signal.sigwait(self._signals)
            if self._closed:
                return
            _thread.interrupt_main(signal.Signals(number))  # calls `_stop` there, although the signal is blocked

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            if number == signal.SIGUSR1:  # of another worker that has stopped
                return
            raise self.interrupted(number)
        self._asked = True
        workers = {process.pid for process in multiprocessing.active_children() if process.pid is not None}
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while time.monotonic() < deadline and any(
            holder(path.parent) in workers for path in self.directory.rglob(FILE)
        ):
            time.sleep(_PAUSE)
        raise self.interrupted(number)


class Worker:
    """A worker's side; the signals are blocked in this process.

    Args:
        parent: id of the process that has started it.
    """

    def __init__(self, parent: int) -> None:
        self.parent = parent
        self.orphaned = False
        self._running = threading.Lock()
        if hasattr(os, "setsid"):
            with contextlib.suppress(PermissionError):
                os.setsid()  # apart from the terminal and the group of the parent, which asks once
        threading.Thread(target=self._watch_parent, daemon=True).start()

    @contextlib.contextmanager
    def job(self) -> Iterator[None]:
        """A job. When it is asked to stop, or stops the sweep, this worker runs no other one."""
        with self._running:
            try:
                with interruptible():
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
                    try:
                        yield
                    finally:
                        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
                return
            except (Interrupted, KeyboardInterrupt):
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # Not the end of the process: joblib would kill the other workers, which may still be saving.
        if not self.orphaned:
            os.kill(self.parent, signal.SIGUSR1)
        while True:
            time.sleep(60)

    def _watch_parent(self) -> None:
        while os.getppid() == self.parent:
            time.sleep(_PAUSE)
        self.orphaned = True
        os.kill(os.getpid(), signal.SIGTERM)
        with self._running:
            os._exit(128 + signal.SIGTERM)
