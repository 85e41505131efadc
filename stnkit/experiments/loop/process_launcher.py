"""One run in several processes of this machine: started, watched and stopped together.

Lightning would start them by running the command line again. That does not know the job of a sweep, and it leaves the
process group behind in the process that continues with the next job. Here the parent is not a process of the run.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from stnkit import errors
from stnkit.experiments.loop.environment import leave_launchers
from stnkit.experiments.loop.failures import Failure, ProcessError, first_user_error, unexpected
from stnkit.experiments.loop.interruption import (
    Interrupted,
    handling_stops,
    interruptible,
    stops_blocked,
    unblock_stops,
)
from stnkit.experiments.loop.joined.connections import free_port
from stnkit.warning_lines import show_warnings_in_one_line

# Seconds for the other processes to end by themselves after one has failed.
GRACE = 10.0


def run_in_processes(function: Callable[..., None], n: int, *arguments: Any) -> None:
    """Call function(rank, *arguments) in n processes and wait for all of them.

    Lightning reads the rank from the environment. Signals that ask to stop are forwarded to the processes, once each.

    Args:
        function: of a module, so that it can be pickled.
        n: number of processes.
        arguments: can be pickled.

    Raises:
        StnkitError: the first that a process raised, or a ProcessError for a process that was killed.
        RuntimeError: for any other error in a process, with its traceback as the cause.
        Interrupted: when a signal came and not all processes completed.
    """
    context = multiprocessing.get_context("spawn")
    call = pickle.dumps((function, arguments))
    port = free_port()
    processes: list[Any] = []
    ends = []
    with _forwarding_signals(processes) as asked:
        try:
            with stops_blocked():  # also in the processes, until they can answer
                for rank in range(n):
                    end, other_end = context.Pipe(duplex=False)
                    arguments_of_rank = (rank, n, port, call, other_end)
                    process: Any = context.Process(target=_run_as_rank, args=arguments_of_rank, name=f"rank {rank}")
                    process.start()
                    other_end.close()  # so that the pipe is closed when the process ends
                    processes.append(process)
                    ends.append(end)
            _wait_for_all(processes)
            codes = [process.exitcode for process in processes]
        finally:
            for process in processes:
                process.kill()
                process.join()
    if not any(codes) and None not in codes:
        return
    if asked:
        raise Interrupted(asked[0])
    failures = [failure for end in ends if (failure := _received(end)) is not None]
    if error := first_user_error(failures):  # an interruption: a process was asked, not its parent
        raise error
    # When a process is killed, the errors of the others only say that they lost it.
    for rank, code in enumerate(codes):
        if code is not None and code < 0:
            raise ProcessError(f"process {rank} of the {n} of this run was ended by {signal.Signals(-code).name}")
    if not failures:
        raise ProcessError(f"the {n} processes of this run ended with exit codes {codes}")
    raise unexpected(failures, n)


def _wait_for_all(processes: list[Any]) -> None:
    running, deadline = list(processes), None
    while running:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            return
        wait([process.sentinel for process in running], left)
        running = [process for process in running if process.is_alive()]
        if deadline is None and any(process.exitcode for process in processes):
            deadline = time.monotonic() + GRACE


@contextmanager
def _forwarding_signals(processes: list[Any]) -> Iterator[list[int]]:
    asked: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        for process in processes:
            with suppress(ProcessLookupError):
                if process.is_alive():
                    os.kill(process.pid, number)

    with handling_stops(forward):
        yield asked


def _run_as_rank(rank: int, n: int, port: int, call: bytes, end: Connection) -> None:
    if hasattr(os, "setsid"):
        os.setsid()  # apart from the terminal: the parent forwards its Ctrl-C, once
    threading.Thread(target=_end_with_parent, daemon=True).start()
    leave_launchers()
    os.environ.update(
        LOCAL_RANK=str(rank), NODE_RANK="0", WORLD_SIZE=str(n), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port)
    )
    try:
        with interruptible():
            unblock_stops()
            # Unpickling imports Lightning, which reads the environment at its import.
            _warn_once(rank)
            function, arguments = pickle.loads(call)
            function(rank, *arguments)
    except BaseException as error:
        end.send(Failure.of(rank, error))
        sys.exit(1)


def _warn_once(rank: int) -> None:
    from stnkit.plugin_system import PluginWarning

    show_warnings_in_one_line()
    # The parent has shown the warnings about plugins, and the first process shows all others.
    for category in (PluginWarning, errors.RenamedWarning) if rank == 0 else (Warning,):
        warnings.simplefilter("ignore", category)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


def _received(end: Connection) -> Failure | None:
    try:
        return end.recv() if end.poll() else None
    except EOFError:
        return None
