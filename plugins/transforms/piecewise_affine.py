"""Piecewise affine maps."""

import functools
import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

import stnkit

# Measured on an AMD EPYC, 2 cores, torch 2.13.0, 2026-11-22. Up to this number of control points the product with a
# dense basis is the faster grid (6 × 6 and smaller).
DENSE_POINTS = 36
# On outputs of fewer pixels than this the dense basis of more points stays in the processor's cache.
SMALL_OUTPUT, SMALL_POINTS = 64 * 64, 64
# For a single image reading a basis of more bytes than this from memory costs more than the products along the axes.
LARGE_BASIS = 32 * 2**20
# A point belongs to a piece that it misses by at most this share of a cell, if the map takes it back to within
# RESIDUAL. Extensions leave gaps, into which the rounding of q can move it: if no piece holds q, the nearest one does
# that misses it by at most ROUNDING units in the last place.
TOLERANCE = 1e-9
RESIDUAL = 1e-7
ROUNDING = 64
# In cells; farther than any point that can be told from its neighbors.
FAR = 1e6
# Number of pairs of a point and a piece that the inverse tests together.
CHUNK_PAIRS = 2**20


class PiecewiseAffine(stnkit.families.LinearFamily):
    """T_θ(p) = Σ_k b_k(p) θ_k with the barycentric weights b of p in a mesh of triangles or tetrahedra.

    θ holds the source positions of the K control points, which lie on a regular lattice of the output over
    [-1, 1], ends included: all x, then all y (then all z), in the order of the lattice, x fastest. The
    identity is that lattice.

    With u the position of p in its cell, in [0, 1] on each axis, a cell is cut into pieces by the order of
    its coordinates (Kuhn's subdivision): two triangles along the diagonal u_x = u_y, or six tetrahedra around
    u_x = u_y = u_z. Outside of the mesh the nearest piece extends. The map is continuous on the mesh, but in
    general not across the rays that continue its inner lines outside, for no extension by affine pieces that
    agrees with its neighbors exists there. Pixel centers always lie on the mesh.

    Args:
        control_points: numbers of points [rows, columns] or [planes, rows, columns], each at least 2; by
            default 4 on each axis.
        ndim: number of dimensions, 2 or 3.

    Raises:
        InputError: when `ndim` is neither 2 nor 3, or `control_points` does not fit it.

    Attributes:
        triangles: indices of the control points of each piece, cell by cell, x fastest; from the lowest
            corner of the cell along its axes to the highest.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "piecewise_affine", control_points=[2, 2])
        >>> family.identity().tolist()
        [-1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0]

    Source: Kuhn, Some Combinatorial Lemmas in Topology, IBM Journal 1960.
    """

    @stnkit.coordinates.built_on_cpu
    def __init__(self, control_points: list[int] | None = None, ndim: int = 2) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        counts = [4] * ndim if control_points is None else control_points
        shape = self.control_points = stnkit.coordinates.check_counts("control_points", counts, ndim, at_least=2)
        self.n_params = ndim * math.prod(shape)
        self.lattice_shape = shape
        # In the order of coordinates, x first: cells on each axis, and how far apart neighbors lie in θ.
        self._cells = torch.tensor(shape[::-1], dtype=torch.float64) - 1
        self._strides = torch.tensor([math.prod(shape[ndim - d :]) for d in range(ndim)])
        orders = list(itertools.permutations(range(ndim)))
        corners = itertools.product(*(range(n - 1) for n in shape))
        pieces = [(corner[::-1], order) for corner in corners for order in orders]
        self._piece_cell = torch.tensor([cell for cell, _ in pieces], dtype=torch.float64)
        self._piece_order = torch.tensor([order for _, order in pieces])
        self.triangles = _vertices((self._piece_cell.long() * self._strides).sum(1), self._piece_order, self._strides)

    def identity(self) -> Float[Tensor, "P"]:
        axes = [torch.linspace(-1, 1, n, dtype=torch.float64) for n in self.control_points]
        return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1]).flatten()

    def basis(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N K"]:
        vertices, weights = self._locate(points)
        return points.new_zeros(points.shape[0], self.n_params // self.ndim).scatter(1, vertices, weights)

    def local_basis(
        self, points: Float[Tensor, "N ndim"]
    ) -> tuple[Int64[Tensor, "N corners"], Float[Tensor, "N corners"]]:
        return self._locate(points)

    @stnkit.families.bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """Multilinear interpolation and its difference to the piecewise affine, as products along each axis.

        In a cell T = Σ_S m_S · min_{i∈S} u_i over the sets S of axes, where m_S is the mixed difference of θ
        along the axes of S; with the product of the u_i in place of their minimum it is the multilinear
        interpolation. So the difference has a term m_S · (min − product) for each S of two or more axes, and
        m_S is constant in a cell.
        """
        if self._is_dense(theta, size):
            return self.planar_grid(theta, size)
        planes = stnkit.coordinates.finite(theta).reshape(-1, *self.control_points)
        if stnkit.coordinates.products_are_narrowed():
            planes = planes.double()
        axes = [_axis(m, n, planes) for m, n in zip(size, self.control_points, strict=True)]
        source = _product(planes, [axis.hats for axis in axes])
        for count in range(2, self.ndim + 1):
            for chosen in itertools.combinations(range(self.ndim), count):
                steps = [axis.step if d in chosen else axis.lower for d, axis in enumerate(axes)]
                fractions = [axes[d].fraction.view(-1, *[1] * (self.ndim - 1 - d)) for d in chosen]
                smallest = functools.reduce(torch.minimum, fractions)
                excess = smallest - functools.reduce(torch.mul, fractions)
                source = torch.addcmul(source, _product(planes, steps), excess)
        return source.to(theta.dtype).view(theta.shape[0], self.ndim, *size).movedim(1, -1)

    def _inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """The affine inverse of the piece whose image holds q, in closed form; NaN where there is none.

        All pieces are tried, those at the border with their extension outside of the mesh. Of several that hold q,
        one on the mesh is preferred.
        """
        batch = theta.shape[0]
        nodes = theta.double().reshape(batch, self.ndim, self.n_params // self.ndim)
        q = points.double().expand(batch, -1, -1)
        rounding = ROUNDING * torch.finfo(points.dtype).eps
        piece, held = self._piece_of(nodes.detach(), q.detach(), max(TOLERANCE, rounding))
        # Its corners (B, ndim, N, ndim + 1), and u in the order in which the piece goes along the axes.
        corners = self._gather(nodes, self.triangles.to(q.device)[piece])
        edges = torch.where(held[..., None, None], corners.diff(dim=-1).movedim(1, 2), self._eye(q))
        along, _ = torch.linalg.solve_ex(edges, (q - corners[..., 0].movedim(1, 2))[..., None])
        u = along[..., 0].gather(-1, self._piece_order.to(q.device).argsort(dim=-1)[piece])
        p = 2 * (self._piece_cell.to(q)[piece] + u) / self._cells.to(q) - 1
        with torch.no_grad():
            vertices, weights = self._locate(p.reshape(-1, self.ndim))
            shape = p.shape[1], self.ndim + 1  # not −1, which an empty batch leaves open
            there = self._gather(nodes, vertices.view(batch, *shape))
            back = (there * weights.view(batch, 1, *shape)).sum(dim=-1).movedim(1, 2)
            right = (back - q).norm(dim=-1) <= max(RESIDUAL, rounding) * q.norm(dim=-1).clamp_min(1)
        return torch.where((held & right)[..., None], p, torch.nan).to(points.dtype)

    def folds(self, theta: Float[Tensor, "B P"]) -> Bool[Tensor, "B T"]:
        """The mask of pieces that T_θ turns over or flattens: their image has no positive area (volume).

        Args:
            theta: one row of parameters for each element of the batch.
        """
        theta = self.check_theta(theta)
        nodes = theta.double().reshape(theta.shape[0], self.ndim, self.n_params // self.ndim)
        edges = nodes[:, :, self.triangles.to(theta.device)].diff(dim=-1).movedim(1, 2)
        axes = self._eye(edges)[self._piece_order.to(theta.device)]
        return ~(torch.linalg.det(edges) * torch.linalg.det(axes) > 0)

    def extra_repr(self) -> str:
        return f"control_points={list(self.control_points)}"

    def _is_dense(self, theta: Tensor, size: tuple[int, ...]) -> bool:
        """True if the product with the dense basis is the faster grid."""
        n_points, n_pixels = self.n_params // self.ndim, math.prod(size)
        if theta.shape[0] == 1 and n_points * n_pixels * theta.element_size() > LARGE_BASIS:
            return False
        return n_points <= (SMALL_POINTS if n_pixels <= SMALL_OUTPUT else DENSE_POINTS)

    def _eye(self, like: Tensor) -> Float[Tensor, "ndim ndim"]:
        return torch.eye(self.ndim, dtype=like.dtype, device=like.device)

    def _gather(
        self, nodes: Float[Tensor, "B ndim K"], vertices: Int64[Tensor, "B N corners"]
    ) -> Float[Tensor, "B ndim N corners"]:
        index = vertices.flatten(start_dim=1)[:, None].expand(-1, self.ndim, -1)
        return nodes.gather(2, index).view(*nodes.shape[:2], *vertices.shape[1:])

    def _locate(self, points: Float[Tensor, "N ndim"]) -> tuple[Int64[Tensor, "N corners"], Float[Tensor, "N corners"]]:
        """The control points of the piece that holds each point, and its barycentric weights there."""
        position = (points + 1) / 2 * self._cells.to(points)
        # A point outside belongs to the border cell next to it, a NaN anywhere.
        low = torch.nan_to_num(position.detach()).floor().clamp_min(0).minimum(self._cells.to(points) - 1)
        along, order = (position - low).sort(dim=1, descending=True)
        one, zero = torch.ones_like(along[:, :1]), torch.zeros_like(along[:, :1])
        weights = torch.cat([one, along], dim=1) - torch.cat([along, zero], dim=1)
        strides = self._strides.to(points.device)
        return _vertices((low.long() * strides).sum(dim=1), order, strides), weights

    def _piece_of(
        self, nodes: Float[Tensor, "B ndim K"], q: Float[Tensor, "B N ndim"], tolerance: float
    ) -> tuple[Int64[Tensor, "B N"], Bool[Tensor, "B N"]]:
        """The piece whose image holds q, at least within the tolerance, and the mask of points that have one."""
        corners = nodes[:, :, self.triangles.to(q.device)].movedim(1, 2)
        inverse, singular = torch.linalg.inv_ex(corners.diff(dim=-1))
        inverse = torch.where((singular == 0)[..., None, None], inverse, torch.nan)
        offset = (inverse * corners[..., None, :, 0]).sum(dim=-1)
        order = self._piece_order.to(q.device)
        cell = self._piece_cell.to(q).gather(1, order)
        last = (self._cells.to(q) - 1)[order]
        low = torch.where(cell == 0, -torch.inf, 0.0)
        high = torch.where(cell == last, torch.inf, 1.0)

        def chosen(q: Float[Tensor, "B n ndim"]) -> tuple[Tensor, Tensor]:
            along = torch.einsum("btij,bnj->bnti", inverse, q) - offset[:, None]
            missed = torch.maximum(low - along, along - high).amax(dim=-1)
            missed = torch.maximum(missed, along.diff(dim=-1).amax(dim=-1))
            outside = torch.maximum(-along, along - 1).amax(dim=-1).clamp(TOLERANCE, FAR)
            nearly = torch.where(missed <= tolerance, FAR + missed, torch.inf)
            badness, piece = torch.where(missed <= TOLERANCE, outside, nearly).min(dim=-1)
            return piece, badness < torch.inf

        chunk = max(1, CHUNK_PAIRS // max(1, q.shape[0] * len(self.triangles)))
        pieces, held = zip(*(chosen(part) for part in torch.split(q, chunk, dim=1)), strict=True)
        return torch.cat(pieces, dim=1), torch.cat(held, dim=1)


class _Axis(NamedTuple):
    """Matrices (m, n) from n control points to m pixels of an axis, and where pixels lie in their cells."""

    hats: Tensor
    lower: Tensor
    step: Tensor
    fraction: Tensor


def _axis(n_pixels: int, n_points: int, like: Tensor) -> _Axis:
    centers = stnkit.coordinates.axis(n_pixels, dtype=torch.float64, device=like.device)
    position = (centers + 1) / 2 * (n_points - 1)
    cell = position.floor().clamp(0, n_points - 2)
    points = torch.arange(n_points, dtype=torch.float64, device=like.device)
    fraction = position - cell
    lower, upper = (points == cell[:, None]).double(), (points == cell[:, None] + 1).double()
    hats = lower + fraction[:, None] * (upper - lower)
    return _Axis(hats.to(like.dtype), lower.to(like.dtype), (upper - lower).to(like.dtype), fraction.to(like.dtype))


def _product(planes: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Each axis of the planes after the first multiplied by its matrix."""
    for d, matrix in enumerate(matrices[:-1], start=1):
        planes = (matrix @ planes.flatten(0, d - 1).flatten(2)).view(
            *planes.shape[:d], matrix.shape[0], *planes.shape[d + 1 :]
        )
    return planes @ matrices[-1].T


def _vertices(
    first: Int64[Tensor, "N"], order: Int64[Tensor, "N ndim"], strides: Int64[Tensor, "ndim"]
) -> Int64[Tensor, "N corners"]:
    """The control points on the way from the lowest corner of a cell to the highest, along axes in order."""
    return torch.cat([first[:, None], first[:, None] + strides[order].cumsum(dim=1)], dim=1)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("piecewise_affine", PiecewiseAffine)
