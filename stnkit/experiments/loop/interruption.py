"""The end of a run that was asked to stop; free of Lightning, so that starting processes stays cheap."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], None]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Ask to stop too, unless the process ignores them, as under nohup, or a library has a use for them, as submitit has.
_UNLESS_TAKEN = [getattr(signal, name) for name in ("SIGUSR1", "SIGHUP") if hasattr(signal, name)]  # not on Windows

# Seconds until a signal is sent again.
_MOMENT = 0.02


class Interrupted(BaseException):
    """The user or the system asked the run to stop, and it stopped.

    Not an Exception: what catches the errors of a component must not catch it.

    Args:
        signal_number: the signal that asked.
        position: at which the training stopped, such as "after 8 of 40 epochs".
    """

    def __init__(self, signal_number: int, position: str = "") -> None:
        super().__init__(f"interrupted by {signal.Signals(signal_number).name} {position}".rstrip())
        self.signal_number = signal_number


@dataclass(frozen=True)
class _StopHandler:
    """A handler of stnkit, which another one of stnkit may replace."""

    handler: Handler

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.handler(number, frame)


def stop_signals() -> list[signal.Signals]:
    """The signals that ask this process to stop: SIGINT and SIGTERM, and SIGUSR1 and SIGHUP where they are free."""
    return [*SIGNALS, *(number for number in _UNLESS_TAKEN if _is_free(signal.getsignal(number)))]


@contextlib.contextmanager
def handling_stops(handler: Handler) -> Iterator[None]:
    """Call handler(number, frame) on each signal that asks to stop.

    Only the main thread may set handlers; elsewhere this does nothing. An exception of the handler that Python drops,
    because the signal came in a `__del__` or in the callback of a weak reference, is raised again a moment later.

    Args:
        handler: called in the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stop = _StopHandler(handler)
    previous = {number: signal.signal(number, stop) for number in stop_signals()}
    hook = sys.unraisablehook
    sys.unraisablehook = _ask_again(hook)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, earlier in previous.items():
            # None was set by something other than Python; what has been set since stays.
            if earlier is not None and signal.getsignal(number) is stop:
                signal.signal(number, earlier)


def _ask_again(hook: Callable[[Any], Any]) -> Callable[[Any], None]:
    def asked(dropped: Any) -> None:
        number = getattr(dropped.exc_value, "signal_number", None)
        if number is None:
            hook(dropped)
        else:
            threading.Timer(_MOMENT, os.kill, (os.getpid(), number)).start()

    return asked


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """A part of a run with nothing to save: a signal raises `Interrupted` at once."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted(number)

    with handling_stops(stop), interruptions_kept():
        yield


@contextlib.contextmanager
def interruptions_kept() -> Iterator[None]:
    """A part of a run from which `Interrupted` leaves as such, also where what it passes fails at it.

    OmegaConf's `finally` raises an error of its own where a signal came in the midst of a change: the run would have
    failed in place of having been stopped. An error that was raised `from` it is its explanation, and leaves too: the
    signal may have ended a run for the loss of another process.
    """
    try:
        yield
    except Exception as error:
        stopped = _interruption_behind(error)
        if stopped is None:
            raise
        raise stopped from None


def _interruption_behind(error: BaseException | None) -> BaseException | None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        explains = isinstance(error.__cause__, Interrupted | KeyboardInterrupt)
        # Python itself raises a SystemError from a signal in the midst of a function of C.
        if explains and not isinstance(error, SystemError):
            return None
        error = error.__cause__ or error.__context__
        if isinstance(error, Interrupted | KeyboardInterrupt):
            return error
    return None


@contextlib.contextmanager
def stops_blocked() -> Iterator[None]:
    """Keep the signals that ask to stop pending, in this thread and in processes that it starts."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def stop_main_thread() -> None:
    """Ask the main thread of this process to stop, as a signal from outside does: from another thread."""
    main = threading.main_thread().ident
    if main is not None and hasattr(signal, "pthread_kill"):  # not on Windows
        signal.pthread_kill(main, signal.SIGTERM)


def unblock_stops() -> None:
    """Let this thread receive the signals that ask to stop, also those that are pending."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, stop_signals())


def _is_free(handler: object) -> bool:
    return handler is signal.SIG_DFL or isinstance(handler, _StopHandler)
