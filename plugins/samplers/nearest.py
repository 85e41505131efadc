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
# Moves points that lie halfway, up to rounding errors, to one side: torch rounds to even, irregularly. In units of the
# dtype's resolution: the rounding errors of an affine grid and of its pixel indices together are at most 3.5 of them.
_NUDGE = 4


class Nearest(stnkit.samplers.PaddedSampler):
    """V(p) = U_i with i the pixel center nearest to p, for label maps and masks.

    Images may be of integers or booleans: labels of 64 bits stay exact, and a fill value is one of them.
    Its gradient to the grid is zero: nothing upstream learns through it, and a warning says so once.
    Halfway between two centers the pixel of the larger index is taken, as by torch's `nearest-exact`. What rounding may
    have moved from there counts as halfway: in float32, of n pixels, what is up to 2.4e-7 n pixels before.

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
        grid = grid + _nudge(grid)
        if image.is_floating_point() and not stnkit.families.is_dual():
            return self.grid_sample(image, grid, "nearest", margin=0)
        return self._gathered(image, grid)

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


def _nudge(grid: Float[Tensor, "B *out_size ndim"]) -> float | Float[Tensor, "B *out_size ndim"]:
    fine, coarse = (_NUDGE * torch.finfo(dtype).eps for dtype in (grid.dtype, torch.float32))
    if fine == coarse:
        return fine
    # A grid of float32 is widened to the dtype of its image, and keeps its rounding errors.
    return torch.where(grid == grid.float(), coarse, fine)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("nearest", Nearest)
