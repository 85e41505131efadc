"""The error of a run in several processes: the first that one of them had, and not those that follow from it."""

import signal
import time
import traceback
from collections.abc import Iterable
from dataclasses import dataclass

from stnkit import errors
from stnkit.experiments.loop.interruption import Interrupted


class ProcessError(errors.StnkitError):
    """A process of the run ended without an error message."""

    is_users = False


class ProcessLostError(ProcessError):
    """A process of a run on several machines was killed, or its machine was lost: the run can be continued."""


@dataclass(frozen=True)
class Failure:
    """The error of a process, as it is sent to another one.

    Args:
        at: time at which it was raised.
        rank: of the process.
        name: of the class of the error, or of the class of `stnkit.errors` that it derives from.
        message: of the error.
        traceback: of the error.
    """

    at: float
    rank: int
    name: str
    message: str
    traceback: str

    @classmethod
    def of(cls, rank: int, error: BaseException) -> "Failure":
        """The error that this process has caught.

        Args:
            rank: of this process.
            error: as caught.
        """
        return cls(time.time(), rank, _name_of(error), str(error), traceback.format_exc())


def first_user_error(failures: Iterable[Failure]) -> BaseException | None:
    """The first error, if it is an interruption or one with a message for the user; None for any other.

    Args:
        failures: of any processes.
    """
    first = min(failures, key=lambda failure: failure.at, default=None)
    if first is not None and first.name == Interrupted.__name__:
        return Interrupted(signal.SIGTERM)
    if first is not None and first.name in vars(errors):
        error: BaseException = getattr(errors, first.name)(first.message)
        return error
    return None


def _name_of(error: BaseException) -> str:
    """The class of an error as every process knows it: a plugin's own may not be made of a message alone."""
    known = [kind.__name__ for kind in type(error).__mro__ if vars(errors).get(kind.__name__) is kind]
    # A process that has lost another one does not say why the run failed.
    if known and not isinstance(error, ProcessError):
        return known[0]
    name = type(error).__name__
    return f"{type(error).__module__}.{name}" if name in vars(errors) else name


def unexpected(failures: Iterable[Failure], n: int) -> RuntimeError:
    """The first error, whatever it is, with its traceback as the cause.

    Args:
        failures: of any processes, at least one.
        n: number of processes of the run.
    """
    first = min(failures, key=lambda failure: failure.at)
    error = RuntimeError(f"process {first.rank} of the {n} of this run failed: {first.name}: {first.message}")
    error.__cause__ = RuntimeError(first.traceback)
    return error
