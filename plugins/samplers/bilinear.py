"""Linear interpolation."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Bilinear(stnkit.samplers.PaddedSampler):
    """V(p) = Σ_i U_i Π_d max(0, 1 − |p_d − i_d|): bilinear in two dimensions, trilinear in three.

    The gradient to the grid is a sub-gradient at pixel centers, where the kernel has its kinks.

    Args:
        double_backward: make the gradient differentiable again in every version of torch, at several times the
            time; the values are the same.

    Raises:
        InputError: for an unknown padding or a fill value that is not finite.

    Example:
        >>> import torch, stnkit
        >>> sampler = stnkit.build("sampler", "bilinear")
        >>> row = torch.tensor([0.0, 1, 2, 3]).view(1, 1, 1, 4)
        >>> sampler(row, torch.tensor([[[[0.0, 0.0]]]])).item()
        1.5

    Source: Jaderberg et al. 2015, equations 5 to 7.
    """

    def __init__(self, *, double_backward: bool = False, **padding: Any) -> None:
        super().__init__(**padding)
        self.double_backward = double_backward
        self._triangle = _Triangle(self.sample_padding)

    def sample(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        if self.double_backward or stnkit.families.is_dual():
            return self._triangle.sample(image, grid)
        return self.grid_sample(image, grid, "bilinear", margin=1)

    def interpolation(self) -> stnkit.samplers.Interpolation | None:
        if self.double_backward:
            return None
        return stnkit.samplers.Interpolation(2, self.padding, self.fill_value)


class _Triangle(stnkit.samplers.KernelSampler):
    """k(d) = 1 − |d|, by plain operations that can be differentiated again."""

    support = 1

    def kernel(self, distance: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        return torch.where(distance >= 0, 1 - distance, 1 + distance)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("bilinear", Bilinear)
