"""Meshes of triangles or tetrahedra between control points: the piece of a point, and barycentric weights in it."""

import abc
import itertools
import math
from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stnkit import coordinates
from stnkit.families.caching import TensorCache
from stnkit.families.positions import lattice_positions
from stnkit.families.thresholds import BASIS_CACHE_BYTES
from stnkit.families.tracing import plain_tensors
from stnkit.portable import clamped, is_exported

# A cell beyond that of every mesh, so that the bound of each axis is the number of its cells.
FARTHEST_CELL = 1e9


class Mesh(abc.ABC):
    """Pieces between control points, which fill the mesh, and an extension of some of them outside of it.

    Attributes:
        positions: of the K control points, in float64.
        triangles: indices of the control points of each piece, triangles or tetrahedra.
        regions: the piece of each region of space that one affine map serves: first the pieces themselves.
        n_tests: number of tests of a point that `misses` makes.

    Example:
        >>> import torch, stnkit
        >>> mesh: stnkit.families.Mesh = stnkit.families.KuhnMesh([2, 2])
        >>> corners, weights = mesh.locate(torch.tensor([[0.5, 0.5]], dtype=torch.float64))
        >>> (weights[..., None] * mesh.positions[corners]).sum(dim=1).tolist()
        [[0.5, 0.5]]
    """

    positions: Float[Tensor, "K ndim"]
    triangles: Int64[Tensor, "pieces corners"]
    regions: Int64[Tensor, "regions"]
    n_tests: int

    def __init__(self, positions: Float[Tensor, "K ndim"]) -> None:
        self.positions = positions
        self._cache: TensorCache[tuple[Tensor, ...]] = TensorCache(BASIS_CACHE_BYTES)

    @abc.abstractmethod
    def locate(self, points: Float[Tensor, "N ndim"]) -> tuple[Int64[Tensor, "N corners"], Float[Tensor, "N corners"]]:
        """The control points of the piece that holds or serves each point, and its barycentric weights there.

        Args:
            points: in float64, on the mesh or outside; of a NaN the weights are NaN.
        """

    @abc.abstractmethod
    def misses(
        self, along: Float[Tensor, "B N regions ndim"]
    ) -> tuple[Float[Tensor, "B N regions"], Float[Tensor, "B N regions"]]:
        """The amount by which a point that a region claims misses it, and the distance of that point from the mesh.

        Args:
            along: the point p that each region claims: p = c_0 + Σ along_i (c_i − c_{i−1}), c the corners of its piece.
        """

    @final
    def on_lattice(
        self, size: tuple[int, ...], dtype: torch.dtype, device: torch.device
    ) -> tuple[Int64[Tensor, "corners N"], Float[Tensor, "corners N"]]:
        """`locate` at the pixel centers of an output, cached, corners first.

        Args:
            size: of the output, (H, W) or (D, H, W).
            dtype: of the weights.
            device: of both.
        """
        found = self._cache.get((size, dtype, device))
        if found is None:
            points = coordinates.lattice(size, dtype=torch.float64, device=device).view(-1, len(size))
            with plain_tensors():
                vertices, weights = self.locate(points)
                found = vertices.T.contiguous(), weights.T.to(dtype).contiguous()
            self._cache.put((size, dtype, device), found)
        vertices, weights = found
        return vertices, weights


@final
class KuhnMesh(Mesh):
    """A regular lattice over [-1, 1] whose cells are cut by the order of their coordinates (Kuhn's subdivision).

    Outside of the mesh the nearest cell extends. `triangles` are in the order of the cells, x fastest, each from the
    lowest corner of the cell along its axes to the highest.

    Args:
        counts: numbers of control points, [rows, columns] or [planes, rows, columns], each at least 2.

    Example:
        >>> import stnkit
        >>> stnkit.families.KuhnMesh([2, 2]).triangles.tolist()
        [[0, 1, 3], [0, 2, 3]]

    Source: Kuhn, Some Combinatorial Lemmas in Topology, IBM Journal 1960.
    """

    def __init__(self, counts: Sequence[int]) -> None:
        ndim = len(counts)
        super().__init__(lattice_positions(counts))
        # In the order of coordinates, x first: cells on each axis, and how far apart neighbors lie in θ.
        self._cells = torch.tensor(counts[::-1], dtype=torch.float64) - 1
        self._strides = torch.tensor([math.prod(counts[ndim - d :]) for d in range(ndim)])
        orders = list(itertools.permutations(range(ndim)))
        corners = itertools.product(*(range(n - 1) for n in counts))
        pieces = [(corner[::-1], order) for corner in corners for order in orders]
        cell = torch.tensor([cell for cell, _ in pieces], dtype=torch.float64)
        order = torch.tensor([order for _, order in pieces])
        self.triangles = _vertices((cell.long() * self._strides).sum(1), order, self._strides)
        self.regions = torch.arange(len(pieces))
        self.n_tests = len(pieces)
        # The bounds of u in each piece, along its order of axes: none at the border, where it extends.
        ordered, last = cell.gather(1, order), (self._cells - 1)[order]
        self._low = torch.where(ordered == 0, -torch.inf, 0.0)
        self._high = torch.where(ordered == last, torch.inf, 1.0)

    def locate(self, points: Float[Tensor, "N ndim"]) -> tuple[Int64[Tensor, "N corners"], Float[Tensor, "N corners"]]:
        position = (points + 1) / 2 * self._cells.to(points)
        # A point outside belongs to the border cell next to it, a NaN anywhere.
        low = clamped(position.detach(), 0.0, FARTHEST_CELL, lost=0.0).floor().minimum(self._cells.to(points) - 1)
        strides = self._strides.to(points.device)
        first = (low.long() * strides).sum(dim=1)
        if is_exported():
            along, vertices = _sorted_without_sort(position - low, first, strides)
            return vertices, barycentric(along)
        along, order = (position - low).sort(dim=1, descending=True)
        return _vertices(first, order, strides), barycentric(along)

    def misses(
        self, along: Float[Tensor, "B N regions ndim"]
    ) -> tuple[Float[Tensor, "B N regions"], Float[Tensor, "B N regions"]]:
        missed = torch.maximum(self._low.to(along) - along, along - self._high.to(along)).amax(dim=-1)
        missed = torch.maximum(missed, along.diff(dim=-1).amax(dim=-1))
        return missed, torch.maximum(-along, along - 1).amax(dim=-1)


def _sorted_without_sort(
    u: Float[Tensor, "N ndim"], first: Int64[Tensor, "N"], strides: Int64[Tensor, "ndim"]
) -> tuple[Float[Tensor, "N ndim"], Int64[Tensor, "N corners"]]:
    """Entries in descending order, and `_vertices` of that order, for ExecuTorch, whose portable kernels have no sort.

    Of equal entries any may come first: the weight of the vertex between them is 0.
    """
    high, low, total = u.amax(dim=1), u.amin(dim=1), strides.sum()
    largest, smallest, last = first + strides[u.argmax(dim=1)], first + total - strides[u.argmin(dim=1)], first + total
    if u.shape[1] == 2:
        return torch.stack([high, low], dim=1), torch.stack([first, largest, last], dim=1)
    x, y, z = u.unbind(dim=1)
    middle = torch.maximum(torch.minimum(x, y), torch.minimum(torch.maximum(x, y), z))
    return torch.stack([high, middle, low], dim=1), torch.stack([first, largest, smallest, last], dim=1)


def barycentric(along: Float[Tensor, "*any ndim"]) -> Float[Tensor, "*any corners"]:
    """The weights 1 − u_1, u_1 − u_2, …, u_n of the corners of c_0 + Σ u_i (c_i − c_{i−1}).

    Args:
        along: u.
    """
    one, zero = torch.ones_like(along[..., :1]), torch.zeros_like(along[..., :1])
    return torch.cat([one, along], dim=-1) - torch.cat([along, zero], dim=-1)


def _vertices(
    first: Int64[Tensor, "N"], order: Int64[Tensor, "N ndim"], strides: Int64[Tensor, "ndim"]
) -> Int64[Tensor, "N corners"]:
    """The control points on the way from the lowest corner of a cell to the highest, along axes in order."""
    return torch.cat([first[:, None], first[:, None] + strides[order].cumsum(dim=1)], dim=1)
