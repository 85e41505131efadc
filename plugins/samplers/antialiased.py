"""Linear interpolation that widens where the grid is coarse."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Antialiased(stnkit.samplers.KernelSampler):
    """V(p) = Σ_i U_i Π_d Λ((p_d − i_d) / w_d) / Σ_i Π_d Λ((p_d − i_d) / w_d), Λ(t) = max(0, 1 − |t|).

    The width w_d is the footprint of an output pixel along input axis d, √Σ_e (∂p_d / ∂e)² over the output
    axes e, by differences of neighboring grid points, in pixels. Where it is at most 1 this is bilinear; a
    transformer that shrinks the image s times averages over s pixels to each side and does not alias. An output axis
    of one pixel has no neighbors: its pixel is taken to be as wide as the image.

    Args:
        max_footprint: the largest width in pixels, at least 1; stronger shrinking aliases. The time of every pixel
            grows with its square, in 3-D its cube.
        renormalize: at the edges, take the mean of the pixels that are there, as an antialiased `interpolate` and
            Pillow's `resize` do; by default the constant of zeros or fill is averaged too. It is then read only where
            less than a thousandth of the weights is on the image. Other paddings continue the image.

    Raises:
        InputError: for an unknown padding, a fill value that is not finite, or a max_footprint below 1.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "antialiased")
        >>> grid = stnkit.coordinates.lattice((2, 2))[None]
        >>> sampler(torch.ones(1, 1, 8, 8), grid).shape
        torch.Size([1, 1, 2, 2])

    Source: Heckbert, Fundamentals of texture mapping and image warping, UCB/CSD 89/516, 1989, chapter 3.
    """

    normalized = True

    def __init__(self, *, max_footprint: float = 4.0, renormalize: bool = False, **padding: Any) -> None:
        super().__init__(**padding)
        if not 1 <= max_footprint < float("inf"):
            raise stnkit.errors.InputError(f"max_footprint: expected at least 1 pixel, got {max_footprint}")
        self.max_footprint = max_footprint
        self.support = max_footprint
        self.renormalize = self.renormalized = renormalize

    def kernel(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        # Half-open, so that all derivatives at kinks are those from the right.
        weight = torch.where(distance >= 0, 1 - distance, 1 + distance)
        return torch.where((distance >= -1) & (distance < 1), weight, 0.0)

    def widening(
        self, pixels: Float[Tensor, "B *out_size ndim"], size: tuple[int, ...]
    ) -> Float[Tensor, "B *out_size ndim"]:
        return stnkit.samplers.footprint(pixels, size, self.max_footprint)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("antialiased", Antialiased)
