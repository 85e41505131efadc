"""Linear interpolation."""

from collections.abc import Iterable

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

import stnkit


class Bilinear(stnkit.PaddedSampler):
    """V(p) = Σ_i U_i Π_d max(0, 1 − |p_d − i_d|): bilinear in two dimensions, trilinear in three.

    The gradient to the grid is a sub-gradient at pixel centers, where the kernel has its kinks.

    Args:
        padding: what is read outside of the image: zeros, border or reflection about the image's edge.

    Raises:
        InputError: for an unknown padding.

    Source: Jaderberg et al. 2015, equations 5 to 7.
    """

    def sample(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        return F.grid_sample(image, grid, mode="bilinear", padding_mode=self.padding.value, align_corners=False)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("bilinear", Bilinear)
