"""Reused memory: one piece for each thread, since the system takes as long to hand out a photograph as a warp does."""

import threading

import numpy as np
from jaxtyping import UInt8

# Pieces have room for larger images, up to so many bytes: what is never written to takes no memory.
_ROOM, _TIMES = 2**28, 4


class ReusedMemory(threading.local):
    """Memory of the thread that asks for it, once `start` was called there; else new memory each time.

    Example:
        >>> from stnkit.native.reused_memory import ReusedMemory
        >>> memory = ReusedMemory()
        >>> memory.start()
        >>> memory.piece(5)[:] = 7
        >>> memory.piece(3)
        array([7, 7, 7], dtype=uint8)
    """

    _piece: np.ndarray | None = None

    @property
    def started(self) -> bool:
        """True if the thread writes every piece over the one before."""
        return self._piece is not None

    def start(self) -> None:
        """Write every piece of this thread from now on over the one before."""
        self._piece = np.empty(0, np.uint8)

    def piece(self, n: int) -> UInt8[np.ndarray, "n"]:
        """Memory with any content.

        Args:
            n: number of bytes.
        """
        if self._piece is None:
            return np.empty(n, np.uint8)
        if self._piece.size < n:
            self._piece = np.empty(0, np.uint8)  # freed before there is a larger one
            self._piece = np.empty(max(n, min(_TIMES * n, _ROOM)), np.uint8)
        return self._piece[:n]
