"""p + Σ u_ij… a_i(y) b_j(x): displacements whose functions are products of functions of one coordinate each."""

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.caching import cached
from stnkit.families.ordered_product import unsplit_bmm
from stnkit.portable import is_exported

# The functions of n control points along an axis at the centers of its m pixels, (m, n), for n, m, dtype and device.
AxisFunctions = Callable[[int, int, torch.dtype, torch.device], Tensor]


def displaced_lattice(
    displacements: Float[Tensor, "B ndim *counts"], size: Sequence[int], functions: AxisFunctions
) -> Float[Tensor, "B *size ndim"]:
    """T(p) = p + Σ u_ij… a_i(y) b_j(x) at the pixel centers of an output of `size`: one product for each axis.

    The coordinates themselves are two more functions of the last product, the only one as large as the output, and
    stay unrounded where nothing is displaced. The coordinates of a pixel are adjacent in memory, as the gradient comes
    back from a sampler.

    Args:
        displacements: u, finite, of the control points, each axis in the order of the image's axes.
        size: of the output, (H, W) or (D, H, W).
        functions: a and b: those of n control points at the centers of m pixels, as (m, n), in the given dtype and on
            the given device. It is called for every grid: decorate it with `stnkit.families.cached`.
    """
    dtype, device = displacements.dtype, displacements.device
    if coordinates.products_are_narrowed():
        displacements = displacements.double()
    batch, ndim, *counts = displacements.shape
    along = [functions(n, m, displacements.dtype, device) for n, m in zip(counts, size, strict=True)]
    with coordinates.full_precision(displacements):
        source = unsplit_bmm(displacements.flatten(0, -2)[None], along[-1].T[None])[0]
        for axis in reversed(range(1, ndim - 1)):
            source = source.reshape(batch * ndim * math.prod(counts[:axis]), counts[axis], math.prod(size[axis + 1 :]))
            source = unsplit_bmm(along[axis].expand(source.shape[0], -1, -1), source)
        source = source.reshape(batch, ndim, counts[0], math.prod(size[1:])).permute(0, 2, 3, 1)
        if is_exported():
            # tract takes neither a product of a concatenation nor one of a batch of the same matrix.
            lines = source.permute(0, 2, 3, 1).reshape(batch * math.prod(size[1:]) * ndim, counts[0]) @ along[0].T
            moved = lines.view(batch, math.prod(size[1:]), ndim, size[0]).permute(0, 3, 1, 2)
            return moved.reshape(batch, *size, ndim).to(dtype) + _centers(tuple(size), dtype, device)
        others = _coordinates(tuple(size[1:]), source.dtype, device).expand(batch, -1, -1, -1)
        lines = torch.cat([source, others], dim=1).reshape(batch, counts[0] + 2, math.prod(size[1:]) * ndim)
        outermost = torch.cat([along[0], _center_and_one(size[0], source.dtype, device)], dim=1)
        grid = unsplit_bmm(outermost.expand(batch, -1, -1), lines).view(batch, *size, ndim)
    return grid if grid.dtype == dtype else grid.to(dtype)


# The derivatives of these functions: of n control points at m pixels, (m, n), for n, m, their order, dtype and device.
AxisDerivatives = Callable[[int, int, int, torch.dtype, torch.device], Tensor]


def lattice_bending_energy(
    displacements: Float[Tensor, "B ndim *counts"], size: Sequence[int], derivatives: AxisDerivatives
) -> Float[Tensor, "B"]:
    """The bending energy of `displaced_lattice`: the mean of Σ_ijk (∂²T_i/∂p_j∂p_k)², by products along each axis.

    Args:
        displacements: u, of the control points, each axis in the order of the image's axes.
        size: of the output whose pixel centers are taken, (H, W) or (D, H, W).
        derivatives: of a and b, of order 0, 1 and 2. It is called for every energy: decorate it with
            `stnkit.families.cached`.
    """
    dtype, device, ndim = displacements.dtype, displacements.device, displacements.shape[1]
    energy = displacements.new_zeros(displacements.shape[0])
    for orders in itertools.product(range(3), repeat=ndim):
        if sum(orders) != 2:
            continue
        second = displacements
        for axis, (n_pixels, order) in enumerate(zip(size, orders, strict=True), start=2):
            basis = derivatives(second.shape[axis], n_pixels, order, dtype, device)
            second = torch.matmul(second.movedim(axis, -1), basis.T).movedim(-1, axis)
        # Of two different axes there are two orders.
        energy = energy + (1 if 2 in orders else 2) * second.square().sum(dim=1).flatten(1).mean(dim=1)
    return energy


@cached
def _centers(size: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Float[Tensor, "*size ndim"]:
    return coordinates.lattice(size, dtype=dtype, device=device)


@cached
def _center_and_one(n_pixels: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "pixels 2"]:
    center = coordinates.axis(n_pixels, dtype=dtype, device=device)
    return torch.stack([center, torch.ones_like(center)], dim=1)


@cached
def _coordinates(inner: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Float[Tensor, "2 inner ndim"]:
    """The factors of the outermost coordinate and of 1 at the pixels of the inner axes."""
    others = coordinates.lattice(inner, dtype=dtype, device=device).view(-1, len(inner))
    none, one = torch.zeros_like(others), torch.ones_like(others[:, :1])
    return torch.stack([torch.cat([none, one], dim=1), torch.cat([others, torch.zeros_like(one)], dim=1)])
