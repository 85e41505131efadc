"""One process of a run that a launcher has started: the first, which leads, or another one, which follows."""

import abc
import signal
import threading

from stnkit.errors import InputError
from stnkit.experiments.loop.interruption import stop_signals
from stnkit.experiments.loop.joined.launched import Launched
from stnkit.experiments.schema import TrainingConfig

# Seconds for a process to end by itself after another one has failed.
GRACE = 5.0
# Seconds in which the failures that have one cause arrive.
SETTLE = 1.0


class Member(abc.ABC):
    """A process of a joined run.

    Args:
        launched: this process among the others.
    """

    def __init__(self, launched: Launched) -> None:
        self.launched = launched

    @abc.abstractmethod
    def meet(self) -> int:
        """Wait until all processes have built their components; return the port on which they train together."""


def check_training(training: TrainingConfig, launched: Launched) -> None:
    """Raise an InputError unless the options fit the processes of the launcher.

    Args:
        training: of the run.
        launched: any of its processes.

    Raises:
        InputError: for another number of devices, or too small a batch.
    """
    here, everywhere = launched.local_world_size, launched.world_size
    if training.devices not in (1, here):
        raise InputError(
            f"training.devices: expected {here}, the number of processes that {launched.launcher} has started on each "
            f"node, or 1 for the same, got {training.devices}"
        )
    if training.batch_size < 2 * everywhere:
        raise InputError(
            f"training.batch_size: expected at least 2 images for each of the {everywhere} processes, "
            f"got {training.batch_size}"
        )


def ignore_stops() -> None:
    """Ignore signals until this process ends: a launcher that sees one process end asks all others to stop."""
    if threading.current_thread() is threading.main_thread():
        for number in stop_signals():
            signal.signal(number, signal.SIG_IGN)
