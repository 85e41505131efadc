"""The nearest pixel."""

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# Moves points that lie halfway, up to rounding errors of float32, to one side. torch rounds to even, irregularly.
_NUDGE = 1e-6


class Nearest(stnkit.samplers.PaddedSampler):
    """V(p) = U_i with i the pixel center nearest to p, for label maps and masks.

    Its gradient to the grid is zero: nothing upstream learns through it, and a warning says so once.
    Halfway between two centers the pixel of the larger index is taken, as by torch's `nearest-exact`.

    Raises:
        InputError: for an unknown padding or a fill value that is not finite.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "nearest")
        >>> row = torch.tensor([0.0, 1, 2, 3]).view(1, 1, 1, 4)
        >>> sampler(row, torch.tensor([[[[0.3, 0.0]]]])).item()
        2.0
    """

    exact_gradient = False

    def __init__(self, **padding: Any) -> None:
        super().__init__(**padding)
        self._warned = False

    def sample(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        # A warning is a side effect, which a traced program must not have.
        if not torch.compiler.is_compiling():
            self._warn_once(wanted=torch.is_grad_enabled() and grid.requires_grad)
        return self.grid_sample(image, grid + _NUDGE, "nearest", margin=0)

    def _warn_once(self, wanted: bool) -> None:
        if wanted and not self._warned:
            self._warned = True
            warnings.warn(
                "the nearest sampler has zero gradient to the grid, so a localizer does not learn through it; choose "
                "another sampler, such as bilinear",
                stacklevel=2,
            )


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("nearest", Nearest)
