"""A rectangle cut into triangles, and the plane around it into strips and quadrants: charts and their neighbors."""

import functools
from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from stnkit import coordinates
from stnkit.families.caching import cached
from stnkit.families.tracing import plain_tensors

# A region is {P ≥ 0, M ≥ 0, 1 − κP − μM ≥ 0} in a chart (P, M) of its own: κ and μ are these.
TRIANGLE, STRIP, QUADRANT = (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)
NONE: Hashable = None


class Charts(NamedTuple):
    """The regions of a tessellation as tensors of one dtype and device.

    A point of region r is x = origin[r] + edges[r] (P, M).

    Args:
        corners: the vertices whose velocities are those at (P, M) = (0, 0), (1, 0) and (0, 1).
        origin: of the charts.
        edges: columns, of P and of M.
        inverse: of `edges`.
        slopes: κ and μ.
        neighbor: region beyond each of the three barriers, P = 0, M = 0 and κP + μM = 1.
        transition: (P, M) of the neighbor as an affine map of (1, P, M).
        blocks: the first region of each cell, of the strips and of the quadrants around the cells.
    """

    corners: Int64[Tensor, "R 3"]
    origin: Float[Tensor, "R 2"]
    edges: Float[Tensor, "R 2 2"]
    inverse: Float[Tensor, "R 2 2"]
    slopes: Float[Tensor, "R 2"]
    neighbor: Int64[Tensor, "R 3"]
    transition: Float[Tensor, "R 3 2 3"]
    blocks: Int64[Tensor, "rows columns"]


class _Region(NamedTuple):
    corners: tuple[int, int, int]
    edges: tuple[tuple[float, float], tuple[float, float]]  # of P and of M
    slopes: tuple[float, float]
    barriers: tuple[Hashable, Hashable, Hashable]  # equal for the two regions that share one


class Tessellation:
    """[-1, 1]² in rows × columns cells, each cut into four triangles by its center.

    A velocity field that is affine in each triangle and continuous has one velocity for each vertex: the corners of
    the cells row by row, x fastest, then their centers. Outside of the square it is v(p) = v(p clamped to the square).

    Args:
        rows: number of cells along y, at least 1.
        columns: number of cells along x, at least 1.

    Attributes:
        vertices: their positions, normalized, in float64.
        charts: the regions of the plane, in float64 on the CPU.

    Example:
        >>> import stnkit
        >>> stnkit.families.Tessellation(1, 1).vertices.tolist()
        [[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]

    Source: Freifeld et al., Transformations based on continuous piecewise-affine velocity fields, PAMI 2017, type I.
    """

    @coordinates.built_on_cpu
    def __init__(self, rows: int, columns: int) -> None:
        self.rows, self.columns = coordinates.check_counts("cells", [rows, columns], 2, at_least=1)
        corners = 2 * (torch.arange((rows + 1) * (columns + 1)).view(rows + 1, columns + 1))
        y, x = torch.meshgrid(
            torch.linspace(-1, 1, rows + 1, dtype=torch.float64),
            torch.linspace(-1, 1, columns + 1, dtype=torch.float64),
            indexing="ij",
        )
        centers = coordinates.lattice((rows, columns), dtype=torch.float64).flatten(0, 1)
        self.vertices = torch.cat([torch.stack([x, y], dim=-1).flatten(0, 1), centers])
        self._corner = (corners // 2).tolist()
        self._center = (len(self.vertices) - len(centers) + torch.arange(len(centers)).view(rows, columns)).tolist()
        self.charts = self._charts(list(self._regions()))

    # Equal ones share the cached tensors of `charts_like` and `dense_like`.
    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tessellation) and (self.rows, self.columns) == (other.rows, other.columns)

    def __hash__(self) -> int:
        return hash((self.rows, self.columns))

    def charts_like(self, like: Tensor) -> Charts:
        """The charts in the dtype and on the device of a tensor.

        Args:
            like: float32 or float64.
        """
        return Charts(*_moved_charts(self, like.dtype, like.device))

    def locate(self, points: Float[Tensor, "b N 2"]) -> tuple[Int64[Tensor, "b N"], Float[Tensor, "b N 2"]]:
        """The region of each point, and (P, M) there; a NaN is in any region.

        Args:
            points: normalized.
        """
        charts = self.charts_like(points)
        extent = torch.tensor([self.columns, self.rows], dtype=points.dtype, device=points.device)
        read = torch.nan_to_num(points.detach())
        position = (read + 1) / 2 * extent
        cell = position.floor().clamp_min(0).minimum(extent - 1)
        # Blocks before and behind the cells are the outside.
        column, row = (cell + (read > 1).to(cell) - (read < -1).to(cell) + 1).long().unbind(dim=-1)
        u, w = (position - cell - 0.5).unbind(dim=-1)
        quarter = 2 * (u + w >= 0) + (u >= w).long()
        inside = (read.abs() <= 1).all(dim=-1)
        region = charts.blocks[row, column] + torch.where(inside, quarter, 0)
        # A plain sum: a product of matrices may be rounded to TF32.
        return region, (charts.inverse[region] * (points - charts.origin[region])[..., None, :]).sum(dim=-1)

    def dense_like(self, like: Tensor) -> Float[Tensor, "velocities coefficients"]:
        """The matrix from the velocities of the vertices to the coefficients of all regions.

        Args:
            like: float32 or float64.
        """
        return _dense(self, like.dtype, like.device)

    def divergence(self, velocities: Float[Tensor, "B K 2"]) -> Float[Tensor, "B triangles"]:
        """∂v_x/∂x + ∂v_y/∂y in each triangle.

        Args:
            velocities: of the vertices.
        """
        charts, triangles = self.charts_like(velocities), 4 * self.rows * self.columns
        at = velocities[:, charts.corners[:triangles]]
        change = at[:, :, 1:] - at[:, :, :1]  # along P and M
        return (charts.inverse[:triangles] * change).sum(dim=(-1, -2))

    def _regions(self) -> Iterator[_Region]:
        rows, columns, corner = self.rows, self.columns, self._corner
        for j in range(rows):
            for i in range(columns):
                center = self._center[j][i]
                # Bits of a quarter: is the corner of P the lower right one, is that of M the upper right one.
                for p in (corner[j][i], corner[j + 1][i + 1]):
                    for m in (corner[j + 1][i], corner[j][i + 1]):
                        barriers = frozenset((center, m)), frozenset((center, p)), frozenset((p, m))
                        yield _Region((center, p, m), (self._to(center, p), self._to(center, m)), TRIANGLE, barriers)
        width, height = 2 / columns, 2 / rows
        up, down, left, right = (0.0, -height), (0.0, height), (-width, 0.0), (width, 0.0)
        sides = [(corner[0][i], corner[0][i + 1], up) for i in range(columns)]
        sides += [(corner[rows][i], corner[rows][i + 1], down) for i in range(columns)]
        sides += [(corner[j][0], corner[j + 1][0], left) for j in range(rows)]
        sides += [(corner[j][columns], corner[j + 1][columns], right) for j in range(rows)]
        for a, b, outward in sides:
            yield _Region((a, a, b), (outward, self._to(a, b)), STRIP, (frozenset((a, b)), (a, outward), (b, outward)))
        for j, vertical in ((0, up), (rows, down)):
            for i, horizontal in ((0, left), (columns, right)):
                a = corner[j][i]
                rays = (a, vertical), (a, horizontal), NONE
                yield _Region((a, a, a), (horizontal, vertical), QUADRANT, rays)

    def _to(self, start: int, end: int) -> tuple[float, float]:
        x, y = (self.vertices[end] - self.vertices[start]).tolist()
        return x, y

    def _charts(self, regions: list[_Region]) -> Charts:
        corners = torch.tensor([region.corners for region in regions])
        origin = self.vertices[corners[:, 0]]
        edges = torch.tensor([region.edges for region in regions], dtype=torch.float64).transpose(1, 2)
        inverse = torch.linalg.inv(edges)
        owners: dict[Hashable, list[int]] = defaultdict(list)
        for index, region in enumerate(regions):
            for barrier in region.barriers:
                owners[barrier].append(index)
        neighbor = torch.tensor(
            [
                [index if key is NONE else next(o for o in owners[key] if o != index) for key in region.barriers]
                for index, region in enumerate(regions)
            ]
        )
        offset = torch.einsum("rkij,rkj->rki", inverse[neighbor], origin[:, None] - origin[neighbor])
        linear = inverse[neighbor] @ edges[:, None]
        # Halves, as all edges are those of cells or half diagonals: rounded, so that both charts meet at a barrier.
        transition = torch.cat([offset[..., None], linear], dim=-1).mul(2).round().div(2)
        slopes = torch.tensor([region.slopes for region in regions], dtype=torch.float64)
        made = corners, origin, edges, inverse, slopes, neighbor, transition, self._blocks()
        return Charts(*(tensor.contiguous() for tensor in made))

    def _blocks(self) -> Int64[Tensor, "rows columns"]:
        rows, columns = self.rows, self.columns
        blocks = torch.zeros(rows + 2, columns + 2, dtype=torch.int64)
        blocks[1:-1, 1:-1] = 4 * torch.arange(rows * columns).view(rows, columns)
        strips = torch.arange(2 * (rows + columns)) + 4 * rows * columns
        blocks[0, 1:-1], blocks[-1, 1:-1] = strips[:columns], strips[columns : 2 * columns]
        blocks[1:-1, 0], blocks[1:-1, -1] = strips[2 * columns :].view(2, rows)
        quadrants = 4 * rows * columns + len(strips) + torch.arange(4)
        blocks[0, 0], blocks[0, -1], blocks[-1, 0], blocks[-1, -1] = quadrants
        return blocks


@functools.lru_cache(maxsize=64)
def tessellation_of(rows: int, columns: int) -> Tessellation:
    """The tessellation with these numbers of cells, made once.

    Args:
        rows: number of cells along y.
        columns: number of cells along x.
    """
    with plain_tensors():
        return Tessellation(rows, columns)


@cached
def _moved_charts(tessellation: Tessellation, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    return tuple(t.to(device, dtype if t.is_floating_point() else t.dtype) for t in tessellation.charts)


@cached
def _dense(
    tessellation: Tessellation, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "velocities coefficients"]:
    corners, inverse, n_vertices = tessellation.charts.corners, tessellation.charts.inverse, len(tessellation.vertices)
    regions = len(corners)
    dense = torch.zeros(n_vertices, 2, regions, 3, 2, dtype=torch.float64, device="cpu")
    index = torch.arange(regions, device="cpu")
    for k, signs in enumerate(((1.0, -1.0, -1.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))):
        for entry, sign in enumerate(signs):
            # From component j of the velocity at corner k to component i of w₀, w₁ or w₂.
            dense[corners[:, k], :, index, entry] += sign * inverse.transpose(1, 2)
    return dense.view(2 * n_vertices, 6 * regions).to(device, dtype)
