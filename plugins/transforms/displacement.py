"""Dense displacement fields, given at a coarse resolution."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float, Int
from torch import Tensor

import stnkit
from stnkit import coordinates


class Displacement(stnkit.TransformFamily):
    """T_θ(p) = p + u_θ(p), with u_θ the coarse field θ, enlarged linearly.

    θ is planar: all displacements along x, then along y (then z), in normalized units, each a field of
    [rows, columns] row by row. The identity is 0. The field is an image over [-1, 1] like any other: its
    cells have their centers at (2i + 1)/n − 1, between them u is linear along each axis, and beyond the
    outermost ones the value of the border goes on. So a field of the output's size displaces each pixel by
    itself.

    T is continuous with kinks at the cells' centers. It does not compose, and its inverse is iterated.

    Args:
        resolution: that of the field, [rows, columns] or [slices, rows, columns], at least 1 on each axis;
            null is 8 on each.
        ndim: number of dimensions, 2 or 3.

    Raises:
        InputError: when `ndim` is neither 2 nor 3, or the resolution is not `ndim` positive whole numbers.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "displacement", resolution=[1, 1])
        >>> family(torch.tensor([[0.5, -0.25]]), torch.zeros(1, 1, 2))
        tensor([[[ 0.5000, -0.2500]]])

    Source: Balakrishnan et al. 2019, VoxelMorph: φ = Id + u, with u as predicted by a network.
    """

    def __init__(self, resolution: list[int] | None = None, ndim: int = 2) -> None:
        super().__init__()
        self.ndim = coordinates.check_ndim(ndim)
        counts = [8] * ndim if resolution is None else resolution
        self.resolution = coordinates.check_counts("resolution", counts, ndim, at_least=1)
        self.n_params = ndim * math.prod(counts)
        self.lattice_shape = self.resolution
        self.lattice_extent = tuple(1 - 1 / n for n in self.resolution)

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """T_θ at any points: each reads the 2^ndim cells around it."""
        field = theta.view(theta.shape[0], self.ndim, self.n_params // self.ndim)
        first, fractions = self._cells(points)
        first = first.unsqueeze(1).expand(theta.shape[0], self.ndim, -1)
        return points + self._interpolated(field, first, fractions, axis=0, offset=0).transpose(1, 2)

    def _interpolated(
        self, field: Tensor, first: Tensor, fractions: list[Tensor], axis: int, offset: int
    ) -> Float[Tensor, "B ndim N"]:
        """The field between its cells, from `axis` on."""
        if axis == self.ndim:
            # A shifted window, so that all 2^ndim readings share one tensor of indices.
            return field[:, :, offset:].gather(2, first)
        # An axis of one cell has no next one: it reads the same cell twice.
        stride = math.prod(self.resolution[axis + 1 :]) if self.resolution[axis] > 1 else 0
        here = self._interpolated(field, first, fractions, axis + 1, offset)
        there = self._interpolated(field, first, fractions, axis + 1, offset + stride)
        return here * (1 - fractions[axis]) + there * fractions[axis]

    @stnkit.families.bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """T_θ on the pixel centers of an output of `size`, as one product with a small matrix for each axis."""
        # Interpolation is an average: bounded displacements give a bounded grid.
        displacements = coordinates.finite(theta).view(-1, self.ndim, *self.resolution)
        return stnkit.families.displaced_lattice(displacements, size, _tents)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Linear least squares."""
        start = self.identity().to(target)
        return stnkit.families.linear_least_squares(self, start, target, source, weights, self._functions)

    def _functions(self, points: Float[Tensor, "B N ndim"]) -> tuple[Int[Tensor, "B N S"], Float[Tensor, "B N S"]]:
        """The indices and weights of the cells that each point reads; where an axis has one cell, twice."""
        index, fractions = self._cells(points)
        index, value = index[..., None], torch.ones_like(points[..., :1])
        for axis, fraction in enumerate(fractions):
            stride = math.prod(self.resolution[axis + 1 :]) if self.resolution[axis] > 1 else 0
            share = fraction[:, 0, :, None]
            index = torch.cat([index, index + stride], dim=-1)
            value = torch.cat([value * (1 - share), value * share], dim=-1)
        return index, value

    def _cells(self, points: Float[Tensor, "b N ndim"]) -> tuple[Int[Tensor, "b N"], list[Float[Tensor, "b 1 N"]]]:
        """Flat index of the first cell that each point reads, and the weight of the next along each axis."""
        pixels = coordinates.to_pixels(points, self.resolution)
        first = torch.zeros(points.shape[:2], dtype=torch.int64, device=points.device)
        fractions = []
        for axis, n in enumerate(self.resolution):
            index = pixels[..., self.ndim - 1 - axis].clamp(0, n - 1)
            # An index must be no NaN; the weight keeps the NaN.
            start = stnkit.families.clamped(index.detach(), 0.0, max(n - 2, 0), lost=0.0).floor()
            first = first * n + start.long()
            fractions.append((index - start).unsqueeze(1))
        return first, fractions


@stnkit.families.cached  # on small images its many small operations cost as much as the products
def _tents(n_cells: int, n_pixels: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "pixels n"]:
    """The weight of each cell at each pixel center."""
    pixels = coordinates.axis(n_pixels, dtype=torch.float64, device=device)
    index = (((pixels + 1) * n_cells - 1) / 2).clamp(0, n_cells - 1)
    cells = torch.arange(n_cells, dtype=torch.float64, device=device)
    return (1 - (index[:, None] - cells).abs()).clamp(min=0).to(dtype)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("displacement", Displacement)
