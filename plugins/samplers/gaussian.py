"""A Gaussian window."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# In sigmas, as in scipy.ndimage.gaussian_filter: the weight there is 3e-4 of the largest.
_TRUNCATE = 4.0
# Larger ones reach further than a float can say.
_LARGEST = 1e300


class Gaussian(stnkit.samplers.KernelSampler):
    """V(p) = Σ_i U_i g(p − i) / Σ_i g(p − i) with g(d) = exp(−|d|² / 2σ²): reads and smooths in one step.

    It does not interpolate: the identity grid gives the smoothed image. Its gradient to the grid reaches 4σ.

    Args:
        sigma: σ in pixels, at least 0.1. Pixels within 4σ are read, rounded up to whole pixels, and half a pixel more.

    Raises:
        InputError: for an unknown padding, a fill value that is not finite, or a sigma out of its range.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "gaussian", sigma=1.0, padding="border")
        >>> sampler(torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 1, 2)).shape
        torch.Size([1, 1, 1, 1])
    """

    normalized = True

    def __init__(self, *, sigma: float = 0.5, **padding: Any) -> None:
        super().__init__(**padding)
        # Much narrower, all weights would round to zero halfway between two pixels.
        if not 0.1 <= sigma <= _LARGEST:
            raise stnkit.errors.InputError(f"sigma: expected at least 0.1 pixels, got {sigma}")
        self.sigma = sigma
        # Half a pixel more: at a pixel center as many pixels are read on the left as on the right.
        self.support = math.ceil(_TRUNCATE * sigma) + 0.5

    def kernel(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        weight = (distance.square() * (-0.5 / self.sigma**2)).exp()
        # Halfway between two pixels one of the two at the edge of the support is among the taps, and would be read.
        return torch.where(distance.abs() < self.support, weight, 0.0)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("gaussian", Gaussian)
