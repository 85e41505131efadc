"""Reference family, sampler and images of the checks, so that the kit depends on no plugin."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.family import TransformFamily
from stnkit.families.matrix import MatrixFamily
from stnkit.samplers.sampler import Sampler


class Moves(MatrixFamily):
    """T_θ(p) = p + θ: the family of the transformers in which localizers are checked.

    Args:
        ndim: number of dimensions, 2 or 3.
    """

    affine = True

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.ndim = self.n_params = ndim

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.ndim, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        eye = torch.eye(self.ndim, dtype=theta.dtype, device=theta.device)
        return torch.cat([eye.expand(len(theta), -1, -1), theta[..., None]], dim=-1)


class Field(TransformFamily):
    """T_θ(p) = p + u(p), u linear between the points of a lattice with three on each axis, at which it is θ.

    The family of the transformers in which localizers are checked that give a map of features.

    Args:
        ndim: number of dimensions, 2 or 3.
    """

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.ndim = ndim
        self.lattice_shape = (3,) * ndim
        self.n_params = ndim * 3**ndim

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        field = theta.view(-1, self.ndim, *[3] * self.ndim)
        where = points.view(len(points), *[1] * (self.ndim - 1), -1, self.ndim).expand(
            len(theta), *[-1] * (self.ndim + 1)
        )
        moved = F.grid_sample(field, where, padding_mode="border", align_corners=True)
        return points + moved.flatten(2).transpose(1, 2)


class Linear(Sampler):
    """Linear interpolation by torch, with zeros outside."""

    def forward(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        return F.grid_sample(image.to(grid.dtype), grid, align_corners=False).to(image.dtype)


def blobs(image_shape: Sequence[int], batch: int) -> Float[Tensor, "B C *size"]:
    """Smooth spots of height 1, black at the edges, at another point in each image: any sampler reads them alike."""
    size = tuple(image_shape[1:])
    points = coordinates.lattice(size, dtype=torch.float64)
    generator = torch.Generator().manual_seed(3)
    centers = 0.2 * (2 * torch.rand(batch, 1, len(size), generator=generator, dtype=torch.float64) - 1)
    squared = (points.view(1, -1, len(size)) - centers).square().sum(dim=-1)
    spots = (-squared / (2 * 0.25**2)).exp()
    spots = (spots / spots.amax(dim=1, keepdim=True)).float()
    # Channels differ, so that swapped ones show; the largest value of each is 1.
    images = spots.view(batch, 1, *size).repeat(1, image_shape[0], *[1] * len(size))
    return images ** torch.arange(1, image_shape[0] + 1).view(1, -1, *[1] * len(size))


class Affine(MatrixFamily):
    """T_θ(p) = p + A p + b with θ = (A, b) row by row: the family of the transformers in which objectives are checked.

    Args:
        ndim: number of dimensions, 2 or 3.
    """

    affine = True

    def __init__(self, ndim: int) -> None:
        super().__init__()
        self.ndim = ndim
        self.n_params = ndim * (ndim + 1)

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        eye = torch.eye(self.ndim, self.ndim + 1, dtype=theta.dtype, device=theta.device)
        return theta.view(-1, self.ndim, self.ndim + 1) + eye

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        eye = torch.eye(self.ndim, self.ndim + 1, dtype=matrix.dtype, device=matrix.device)
        return (matrix[:, :-1] - eye).flatten(start_dim=1)
