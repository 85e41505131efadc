"""Windowed sinc interpolation."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Lanczos(stnkit.samplers.KernelSampler):
    """V(p) = Σ_i U_i Π_d L(p_d − i_d) / Σ_i Π_d L(p_d − i_d), L(d) = sinc(d) sinc(d / lobes) for |d| < lobes.

    With sinc(d) = sin(πd) / πd. It interpolates, is the sharpest of the samplers, and overshoots where the
    image jumps.

    Args:
        lobes: half the width of the kernel in pixels, at least 1; the time grows with its square, in 3-D its
            cube.

    Raises:
        InputError: for an unknown padding, a fill value that is not finite, or lobes below 1.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "lanczos", lobes=2)
        >>> sampler(torch.ones(1, 1, 8, 8), torch.zeros(1, 1, 1, 2)).shape
        torch.Size([1, 1, 1, 1])

    Source: Duchon, Lanczos filtering in one and two dimensions, J. Appl. Meteorology 18, 1979.
    """

    normalized = True

    def __init__(self, *, lobes: int = 3, **padding: Any) -> None:
        super().__init__(**padding)
        if lobes < 1:
            raise stnkit.errors.InputError(f"lobes: expected a whole number of at least 1, got {lobes}")
        self.lobes = lobes
        self.support = lobes

    def kernel(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        return _sinc(math.pi * distance) * _sinc(math.pi / self.lobes * distance)


def _sinc(x: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """sin(x) / x with all derivatives: torch's sinc has a second derivative of NaN at 0."""
    near = x.abs() < 1e-2
    safe = torch.where(near, 1.0, x)
    square = x.square()
    series = 1 - square / 6 * (1 - square / 20 * (1 - square / 42))
    return torch.where(near, series, safe.sin() / safe)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("lanczos", Lanczos)
