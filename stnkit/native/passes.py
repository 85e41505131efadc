"""Numbers of native passes: the answer to which path a warp took."""

from typing import NamedTuple

from stnkit.native.library import kernels, status


class Passes(NamedTuple):
    """Numbers of native forward and backward passes.

    Args:
        forward: of warps; a composite one does not count.
        backward: of their gradients.

    Example:
        >>> import stnkit
        >>> stnkit.native.Passes(forward=2, backward=1) - stnkit.native.Passes(forward=1, backward=1)
        Passes(forward=1, backward=0)
    """

    forward: int
    backward: int

    def __sub__(self, earlier: "Passes") -> "Passes":
        return Passes(self.forward - earlier.forward, self.backward - earlier.backward)


def passes() -> Passes:
    """The native passes of this process so far, in all threads.

    Example:
        >>> import torch, stnkit
        >>> sampler, before = stnkit.build("sampler", "bilinear"), stnkit.native.passes()
        >>> with stnkit.native.disabled():
        ...     _ = sampler(torch.ones(1, 1, 4, 4), torch.zeros(1, 1, 1, 2))
        >>> stnkit.native.passes() - before
        Passes(forward=0, backward=0)
    """
    return Passes(*kernels().passes()) if status().used else Passes(0, 0)
