"""The end of a run that was asked to stop; free of Lightning, so that starting processes stays cheap."""

import signal


class Interrupted(Exception):  # noqa: N818 not an error
    """The user or the system asked the run to stop, and it stopped with a checkpoint.

    Args:
        signal_number: the signal that asked.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number
