"""What checks compare with and combine components with, so that they depend on no plugin."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.matrix import MatrixFamily
from stnkit.samplers.sampler import Sampler


class Moves(MatrixFamily):
    """T_θ(p) = p + θ: what a localizer is tried with.

    Args:
        ndim: number of dimensions, 2 or 3.
    """

    affine = True

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.ndim = self.n_params = ndim

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.ndim, dtype=torch.float64)

    def matrix(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows rows"]:
        eye = torch.eye(self.ndim, dtype=theta.dtype, device=theta.device)
        return coordinates.homogeneous(eye.expand(len(theta), -1, -1), theta)


class Linear(Sampler):
    """Linear interpolation by torch, with zeros outside."""

    def forward(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        return F.grid_sample(image.to(grid.dtype), grid, align_corners=False).to(image.dtype)


def blobs(image_shape: Sequence[int], batch: int) -> Float[Tensor, "B C *size"]:
    """Smooth spots of height 1, black at the edges, elsewhere in each image: any sampler reads them alike."""
    size = tuple(image_shape[1:])
    points = coordinates.lattice(size, dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    centers = 0.2 * (2 * torch.rand(batch, 1, len(size), generator=generator, dtype=torch.float64) - 1)
    squared = (points.view(1, -1, len(size)) - centers).square().sum(dim=-1)
    spots = (-squared / (2 * 0.25**2)).exp()
    spots = (spots / spots.amax(dim=1, keepdim=True)).float()
    # Channels differ, or an exchange of them would not show; each keeps its largest value.
    images = spots.view(batch, 1, *size).repeat(1, image_shape[0], *[1] * len(size))
    return images ** torch.arange(1, image_shape[0] + 1).view(1, -1, *[1] * len(size))
