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
# Of scattered points, for which each pixel reads those of its piece otherwise. (2026-11-29)
SCATTERED_POINTS = 200
# For a single image reading a basis of more bytes than this from memory costs more than the products along the axes.
LARGE_BASIS = 32 * 2**20
# A point belongs to a piece that it misses by at most this share of a cell, if the map takes it back to within
# RESIDUAL. Extensions leave gaps, into which the rounding of q can move it: if no piece holds q, the nearest one does
# that misses it by at most ROUNDING units in the last place.
TOLERANCE = 1e-9
RESIDUAL = 1e-7
ROUNDING = 64
# In cells, or for scattered points half images; farther than any point that can be told from its neighbors.
FAR = 1e6
# Extensions of thin pieces have large weights, of both signs. Larger ones than this, at this number of points along
# each axis, lose digits in float32.
LARGE_WEIGHTS = 4.0
PROBES = 16
# Coefficients are bounded by this, so that a product with a weight is finite in float32.
LARGE = 1e18
# Number of pairs of a point and a piece that the inverse tests together.
CHUNK_PAIRS = 2**20


class PiecewiseAffine(stnkit.families.LinearFamily):
    """T_θ(p) = Σ_k b_k(p) θ_k with the barycentric weights b of p in a mesh of triangles or tetrahedra.

    θ holds the source positions of the K control points, which lie on a regular lattice of the output over
    [-1, 1], ends included, or at given positions: all x, then all y (then all z), in the order of the control
    points, x fastest on a lattice. The identity is the control points themselves. Pinned ones stay where they
    are and are no entries of θ; the others keep their order. With `borders` the border of the mesh does not
    move, which is the edge of the image on a lattice.

    On a lattice, with u the position of p in its cell, in [0, 1] on each axis, a cell is cut into pieces by the
    order of its coordinates (Kuhn's subdivision): two triangles along the diagonal u_x = u_y, or six tetrahedra
    around u_x = u_y = u_z. Given positions are the corners of a Delaunay triangulation.

    Outside of the mesh the nearest piece extends. The map is continuous on the mesh, but in general not across
    the rays that continue its inner lines outside, for no extension by affine pieces that agrees with its
    neighbors exists there. Pixel centers always lie on the mesh of a lattice, and on that of given positions if
    the corners of the image are among them. Beyond a thin triangle at the border of the mesh the map is steep.

    Args:
        control_points: numbers of points [rows, columns] or [planes, rows, columns], each at least 2; or the
            positions themselves, [x, y] or [x, y, z] each, not all on one line or plane; by default 4 on each
            axis.
        ndim: number of dimensions, 2 or 3.
        pinned: control points that do not move, `borders` (those on their convex hull) or a list of indices; by
            default none.

    Raises:
        InputError: when `ndim` is neither 2 nor 3, the control points do not fit it, coincide or lie on one
            line or plane, or `pinned` is neither of its forms or leaves no control point free.

    Attributes:
        triangles: indices of the control points of each piece; on a lattice cell by cell, x fastest, each from
            the lowest corner of the cell along its axes to the highest.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "piecewise_affine", control_points=[2, 2])
        >>> family.identity().tolist()
        [-1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, 1.0]

    Source: Kuhn, Some Combinatorial Lemmas in Topology, IBM Journal 1960; Goshtasby, Piecewise linear mapping
    functions for image registration, Pattern Recognition 1986.
    """

    @stnkit.coordinates.built_on_cpu
    def __init__(
        self,
        control_points: list[int] | list[list[float]] | None = None,
        ndim: int = 2,
        pinned: str | list[int] | None = None,
    ) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        given = [4] * ndim if control_points is None else control_points
        positions = stnkit.families.control_positions(given, ndim)
        # Numbers of points along each axis, None for scattered ones.
        self._counts = stnkit.families.lattice_counts(given)
        self.control_points = given if self._counts is None else self._counts
        self._mesh: stnkit.families.Mesh
        if self._counts is None:
            self._mesh = stnkit.families.DelaunayMesh(positions)
            probes = stnkit.coordinates.lattice([PROBES] * ndim, dtype=torch.float64).view(-1, ndim)
            self.wide = float(self._mesh.locate(probes)[1].abs().max()) > LARGE_WEIGHTS
        else:
            self._mesh = stnkit.families.KuhnMesh(self._counts)
        self.triangles = self._mesh.triangles
        self._pinned = stnkit.families.PinnedPoints.of_positions(pinned, positions)
        self.pinned = self._pinned.indices
        self.has_constant = bool(self.pinned)
        self.n_params = ndim * len(self._pinned.free)
        self.lattice_shape = None if self.pinned else self._counts

    def identity(self) -> Float[Tensor, "P"]:
        return self._mesh.positions[self._pinned.free].T.flatten()

    def basis(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N K"]:
        vertices, weights = self._mesh.locate(points)
        return points.new_zeros(points.shape[0], len(self._mesh.positions)).scatter(1, vertices, weights)

    def local_basis(
        self, points: Float[Tensor, "N ndim"]
    ) -> tuple[Int64[Tensor, "N corners"], Float[Tensor, "N corners"]]:
        return self._mesh.locate(points)

    def coefficients(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B ndim K"]:
        """The source positions of all control points."""
        free = theta.view(theta.shape[0], self.ndim, self.n_params // self.ndim)
        return self._pinned.completed(free, self._mesh.positions.T)

    @stnkit.families.bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """Multilinear interpolation and its difference to the piecewise affine, as products along each axis.

        In a cell T = Σ_S m_S · min_{i∈S} u_i over the sets S of axes, where m_S is the mixed difference of θ
        along the axes of S; with the product of the u_i in place of their minimum it is the multilinear
        interpolation. So the difference has a term m_S · (min − product) for each S of two or more axes, and
        m_S is constant in a cell.
        """
        nodes = self.coefficients(theta)
        if self._is_dense(theta, size):
            # As `planar_grid`, but nodes are not solved for: two conversions less.
            nodes = nodes.to(stnkit.families.sum_dtype(nodes.shape[2], theta.dtype, self.wide))
            planes = self._lattice_basis.product(self.basis, nodes, size, theta.dtype)
            return stnkit.families.coordinates_last(planes)
        if self._counts is None:
            return self._local_grid(nodes, size)
        planes = stnkit.coordinates.finite(nodes).reshape(-1, *self._counts)
        if stnkit.coordinates.products_are_narrowed():
            planes = planes.double()
        axes = [_Axis(*_axis(m, n, planes.dtype, planes.device)) for m, n in zip(size, self._counts, strict=True)]
        source = _product(planes, [axis.hats for axis in axes])
        for count in range(2, self.ndim + 1):
            for chosen in itertools.combinations(range(self.ndim), count):
                steps = [axis.step if d in chosen else axis.lower for d, axis in enumerate(axes)]
                fractions = [axes[d].fraction.view(-1, *[1] * (self.ndim - 1 - d)) for d in chosen]
                smallest = functools.reduce(torch.minimum, fractions)
                excess = smallest - functools.reduce(torch.mul, fractions)
                source = torch.addcmul(source, _product(planes, steps), excess)
        return stnkit.families.coordinates_last(source.to(theta.dtype).view(theta.shape[0], self.ndim, *size))

    def _local_grid(self, nodes: Float[Tensor, "B ndim K"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """The sum over the corners of the piece of each pixel."""
        dtype = stnkit.families.sum_dtype(self.ndim + 1, nodes.dtype, self.wide)
        vertices, weights = self._mesh.on_lattice(size, dtype, nodes.device)
        rows = stnkit.coordinates.finite(nodes, LARGE).to(dtype).flatten(0, 1)
        terms = [rows.index_select(1, v) * w for v, w in zip(vertices, weights, strict=True)]
        source = functools.reduce(torch.add, terms).to(nodes.dtype)
        return stnkit.families.coordinates_last(source.view(nodes.shape[0], self.ndim, *size))

    def _inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """The affine inverse of the piece whose image holds q, in closed form; NaN where there is none.

        All pieces are tried, those at the border with their extension outside of the mesh. Of several that hold q,
        one on the mesh is preferred.
        """
        batch = theta.shape[0]
        nodes = self.coefficients(theta.double())
        q = points.double().expand(batch, -1, -1)
        rounding = ROUNDING * torch.finfo(points.dtype).eps
        piece, held = self._piece_of(nodes.detach(), q.detach(), max(TOLERANCE, rounding))
        # Its corners in the source (B, ndim, N, ndim + 1) and in the target (B, N, ndim + 1, ndim).
        corners = self._gather(nodes, self.triangles.to(q.device)[piece])
        target = self._mesh.positions.to(q)[self.triangles.to(q.device)[piece]]
        edges = torch.where(held[..., None, None], corners.diff(dim=-1).movedim(1, 2), self._eye(q))
        # Not `solve_ex`, whose forward-mode derivative torch takes for a constant where it is differentiated again.
        along = torch.linalg.inv_ex(edges).inverse @ (q - corners[..., 0].movedim(1, 2))[..., None]
        p = target[..., 0, :] + (target.diff(dim=-2) * along).sum(dim=-2)
        with torch.no_grad():
            vertices, weights = self._mesh.locate(p.reshape(-1, self.ndim))
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
        nodes = self.coefficients(self.check_theta(theta).double())
        edges = nodes[:, :, self.triangles.to(theta.device)].diff(dim=-1).movedim(1, 2)
        target = self._mesh.positions[self.triangles].diff(dim=1).to(edges)
        return ~(torch.linalg.det(edges) * torch.linalg.det(target) > 0)

    def extra_repr(self) -> str:
        count = f"{len(self._mesh.positions)} control points" if self._counts is None else ""
        pinned = f", {len(self.pinned)} pinned" if self.pinned else ""
        return (count or f"control_points={list(self.control_points)}") + pinned

    def _is_dense(self, theta: Tensor, size: tuple[int, ...]) -> bool:
        """True if the product with the dense basis is the faster grid."""
        n_points, n_pixels = len(self._mesh.positions), math.prod(size)
        if theta.shape[0] == 1 and n_points * n_pixels * theta.element_size() > LARGE_BASIS:
            return False
        if self._counts is None:
            return n_points <= SCATTERED_POINTS
        return n_points <= (SMALL_POINTS if n_pixels <= SMALL_OUTPUT else DENSE_POINTS)

    def _eye(self, like: Tensor) -> Float[Tensor, "ndim ndim"]:
        return torch.eye(self.ndim, dtype=like.dtype, device=like.device)

    def _gather(
        self, nodes: Float[Tensor, "B ndim K"], vertices: Int64[Tensor, "B N corners"]
    ) -> Float[Tensor, "B ndim N corners"]:
        index = vertices.flatten(start_dim=1)[:, None].expand(-1, self.ndim, -1)
        return nodes.gather(2, index).view(*nodes.shape[:2], *vertices.shape[1:])

    def _piece_of(
        self, nodes: Float[Tensor, "B ndim K"], q: Float[Tensor, "B N ndim"], tolerance: float
    ) -> tuple[Int64[Tensor, "B N"], Bool[Tensor, "B N"]]:
        """The piece whose image holds q, at least within the tolerance, and the mask of points that have one."""
        regions = self._mesh.regions.to(q.device)
        corners = nodes[:, :, self.triangles.to(q.device)[regions]].movedim(1, 2)
        inverse, singular = torch.linalg.inv_ex(corners.diff(dim=-1))
        inverse = torch.where((singular == 0)[..., None, None], inverse, torch.nan)
        offset = (inverse * corners[..., None, :, 0]).sum(dim=-1)

        def chosen(q: Float[Tensor, "B n ndim"]) -> tuple[Tensor, Tensor]:
            along = torch.einsum("btij,bnj->bnti", inverse, q) - offset[:, None]
            missed, outside = self._mesh.misses(along)
            outside = outside.clamp(TOLERANCE, FAR)
            nearly = torch.where(missed <= tolerance, FAR + missed, torch.inf)
            badness, region = torch.where(missed <= TOLERANCE, outside, nearly).min(dim=-1)
            return regions[region], badness < torch.inf

        chunk = max(1, CHUNK_PAIRS // max(1, q.shape[0] * self._mesh.n_tests))
        pieces, held = zip(*(chosen(part) for part in torch.split(q, chunk, dim=1)), strict=True)
        return torch.cat(pieces, dim=1), torch.cat(held, dim=1)


class _Axis(NamedTuple):
    """Matrices (m, n) from n control points to m pixels of an axis, and where pixels lie in their cells."""

    hats: Tensor
    lower: Tensor
    step: Tensor
    fraction: Tensor


@stnkit.families.cached
def _axis(n_pixels: int, n_points: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """The entries of an `_Axis`."""
    centers = stnkit.coordinates.axis(n_pixels, dtype=torch.float64, device=device)
    position = (centers + 1) / 2 * (n_points - 1)
    cell = position.floor().clamp(0, n_points - 2)
    points = torch.arange(n_points, dtype=torch.float64, device=device)
    fraction = position - cell
    lower, upper = (points == cell[:, None]).double(), (points == cell[:, None] + 1).double()
    hats = lower + fraction[:, None] * (upper - lower)
    return hats.to(dtype), lower.to(dtype), (upper - lower).to(dtype), fraction.to(dtype)


def _product(planes: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Each axis of the planes after the first multiplied by its matrix."""
    for d, matrix in enumerate(matrices[:-1], start=1):
        planes = (matrix @ planes.flatten(0, d - 1).flatten(2)).view(
            *planes.shape[:d], matrix.shape[0], *planes.shape[d + 1 :]
        )
    return planes @ matrices[-1].T


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("piecewise_affine", PiecewiseAffine)
