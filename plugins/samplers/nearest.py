"""The nearest pixel."""

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

import stnkit

# Signed integers of the same width, which torch gathers.
_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}
# Moves points that lie halfway, up to rounding errors of float32, to one side. torch rounds to even, irregularly.
_NUDGE = 1e-6


class Nearest(stnkit.samplers.PaddedSampler):
    """V(p) = U_i with i the pixel center nearest to p, for label maps and masks.

    Images may be of integers or booleans: labels of 64 bits stay exact, and a fill value is one of them.
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
        >>> stnkit.warp(stnkit.build("transform", "affine"), torch.eye(2, 3).view(1, 6), row.long(), sampler)
        tensor([[[[0, 1, 2, 3]]]])
    """

    exact_gradient = False
    reads_labels = True

    def __init__(self, **padding: Any) -> None:
        super().__init__(**padding)
        self._warned = False

    def sample(
        self, image: Shaped[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Shaped[Tensor, "B C *out_size"]:
        # A warning is a side effect, which a traced program must not have.
        if not torch.compiler.is_compiling():
            self._warn_once(wanted=torch.is_grad_enabled() and grid.requires_grad)
        if image.is_floating_point():
            return self.grid_sample(image, grid + _NUDGE, "nearest", margin=0)
        return self._gathered(image, grid + _NUDGE)

    def _gathered(
        self, image: Shaped[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Shaped[Tensor, "B C *out_size"]:
        """The pixels themselves, without a conversion to floating-point numbers."""
        pixels = stnkit.coordinates.to_pixels(stnkit.coordinates.finite(grid), image.shape[2:]).round().long()
        index = torch.zeros_like(pixels[..., 0])
        inside = torch.ones_like(index, dtype=torch.bool)
        for d, n in enumerate(image.shape[2:]):
            i = pixels[..., -1 - d]
            index = index * n + stnkit.samplers.source_index(i, n, self.sample_padding)
            inside = inside & (i >= 0) & (i < n)
        flat, index = image.flatten(2), index.flatten(1)[:, None].expand(-1, image.shape[1], -1)
        if image.dtype in _SIGNED:
            values = flat.view(_SIGNED[image.dtype]).gather(2, index).view(image.dtype)
        else:
            values = flat.gather(2, index)
        values = values.view(*image.shape[:2], *grid.shape[1:-1])
        if self.sample_padding is stnkit.samplers.Padding.zeros:
            values = torch.where(inside[:, None], values, torch.zeros((), dtype=image.dtype, device=image.device))
        return values

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
