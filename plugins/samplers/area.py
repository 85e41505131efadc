"""Box averages over the pixels that an output pixel covers."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Area(stnkit.samplers.KernelSampler):
    """V(p) = Σ_i U_i Π_d |[p_d − w_d/2, p_d + w_d/2] ∩ [i_d − ½, i_d + ½]| / w_d: the mean of the image over a box.

    The box is the footprint of an output pixel, as `antialiased` has it, and a pixel of the image counts by its share
    in it. Shrinking by a whole number this is `avg_pool2d` and `interpolate(mode="area")`, by any other factor OpenCV's
    `INTER_AREA`. A box is at least one pixel wide, with which this is bilinear: a smaller one would read the nearest
    pixel, without a gradient to the grid.

    Args:
        max_footprint: the largest width in pixels, at least 1; stronger shrinking aliases. The time of every pixel
            grows with its square, in 3-D its cube.

    Raises:
        InputError: for an unknown padding, a fill value that is not finite, or a max_footprint below 1.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "area")
        >>> row = torch.tensor([0.0, 2, 4, 10]).view(1, 1, 1, 4)
        >>> sampler(row, stnkit.coordinates.lattice((1, 2))[None])
        tensor([[[[1., 7.]]]])

    Source: Crow, Summed-area tables for texture mapping, SIGGRAPH 1984, section 1: the box filter.
    """

    def __init__(self, *, max_footprint: float = 4.0, **padding: Any) -> None:
        super().__init__(**padding)
        if not 1 <= max_footprint < float("inf"):
            raise stnkit.errors.InputError(f"max_footprint: expected at least 1 pixel, got {max_footprint}")
        self.max_footprint = max_footprint
        self.support = (1 + max_footprint) / 2

    def kernel(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        return self.widened_kernel(distance, torch.ones_like(distance))

    def widening(
        self, pixels: Float[Tensor, "B *out_size ndim"], size: tuple[int, ...]
    ) -> Float[Tensor, "B *out_size ndim"]:
        return stnkit.samplers.footprint(pixels, size, self.max_footprint)

    def widened_kernel(self, distance: Float[Tensor, "*any"], width: Float[Tensor, "*#any"]) -> Float[Tensor, "*any"]:
        return (_covered(distance + width / 2) - _covered(distance - width / 2)) / width


def _covered(end: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The length of [−½, ½] to the left of `end`, with the derivative from the right at both ends."""
    return torch.where(end < 0.5, torch.where(end >= -0.5, end + 0.5, 0.0), 1.0)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("area", Area)
