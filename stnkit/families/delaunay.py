"""DelaunayMesh: triangles or tetrahedra between scattered control points."""

import functools
import itertools
import math
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from stnkit.errors import InputError
from stnkit.families.meshes import Mesh, barycentric
from stnkit.families.positions import COINCIDENT, qhull_refusals, spacing
from stnkit.families.thresholds import BASIS_CHUNK_BYTES
from stnkit.portable import clamped

# Heights below this are rounding.
FLAT = 1e-12
# A weight of a control point at that point that differs from 1 by more than this is of no triangulation: between points
# that are less than 1e-7 apart some of Qhull's triangles overlap.
UNMET = 1e-6


@final
class DelaunayMesh(Mesh):
    """The Delaunay triangulation of points: no circle (sphere) around a piece holds another point.

    A point outside of their convex hull is served by the piece at that edge (face) of the hull behind whose line
    (plane) it lies farthest: the nearest one, but next to a corner, which its two edges share by their bisector.

    Args:
        positions: of the control points, distinct and not all on one line (plane).

    Raises:
        InputError: when points are so close to each other that there is no valid triangulation.

    Example:
        >>> import torch, stnkit
        >>> positions = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [0.0, 1.0]], dtype=torch.float64)
        >>> vertices, weights = stnkit.families.DelaunayMesh(positions).locate(torch.zeros(1, 2, dtype=torch.float64))
        >>> dict(zip(vertices[0].tolist(), weights[0].tolist())) == {0: 0.25, 1: 0.25, 2: 0.5}
        True
    """

    def __init__(self, positions: Float[Tensor, "K ndim"]) -> None:
        super().__init__(positions)
        self.triangles = _triangles(positions)
        # p as weights of the corners of each piece: (1, p) @ the inverse of the corners with a column of ones.
        corners = torch.cat([torch.ones(*self.triangles.shape, 1).double(), positions[self.triangles]], dim=-1)
        self._to_weights = torch.linalg.inv(corners)
        self._bins = _Bins(positions[self.triangles])
        owners, self._normals, self._offsets = _hull(positions, self.triangles)
        self.regions = torch.cat([torch.arange(len(self.triangles)), owners])
        self.n_tests = len(self.triangles) + len(owners) ** 2
        edges = positions[self.triangles].diff(dim=1)[owners]
        self._owner_edges, self._owner_corner = edges, positions[self.triangles[owners, 0]]
        self._check_corners()

    def locate(self, points: Float[Tensor, "N ndim"]) -> tuple[Int64[Tensor, "N corners"], Float[Tensor, "N corners"]]:
        with torch.no_grad():
            piece = self._piece(points.detach())
        to_weights = self._to_weights.to(points)[piece]
        weights = to_weights[:, 0] + (points[:, :, None] * to_weights[:, 1:]).sum(dim=1)
        return self.triangles.to(points.device)[piece], weights

    def misses(
        self, along: Float[Tensor, "B N regions ndim"]
    ) -> tuple[Float[Tensor, "B N regions"], Float[Tensor, "B N regions"]]:
        inside, beyond = along[:, :, : len(self.triangles)], along[:, :, len(self.triangles) :]
        # In a piece: no weight below 0. Beyond an edge of the hull: farther behind that edge than behind the others.
        missed = -barycentric(inside).amin(dim=-1)
        point = (beyond[..., None] * self._owner_edges.to(along)).sum(dim=-2) + self._owner_corner.to(along)
        distance = self._distances(point)
        own = distance.diagonal(dim1=-2, dim2=-1)
        missed_beyond = torch.maximum(distance.amax(dim=-1) - own, -own)
        return torch.cat([missed, missed_beyond], dim=-1), torch.cat([torch.zeros_like(missed), own], dim=-1)

    def _check_corners(self) -> None:
        """Raise an InputError where the mesh at a control point is not the value of that point."""
        vertices, weights = self.locate(self.positions)
        own = torch.where(vertices == torch.arange(len(vertices))[:, None], weights, 0.0).sum(dim=1)
        missed = ((own - 1).abs() > UNMET).nonzero()[:, 0].tolist()
        if missed:
            raise InputError(
                f"control_points: expected positions farther apart for a triangulation, got {missed[0]} at "
                f"{self.positions[missed[0]].tolist()}, {self._nearest(missed[0]):.1g} from another"
            )

    def _nearest(self, index: int) -> float:
        return float((self.positions - self.positions[index]).norm(dim=1).sort().values[1])

    def _piece(self, points: Float[Tensor, "N ndim"]) -> Int64[Tensor, "N"]:
        """The piece that holds or serves each point."""
        if torch.compiler.is_compiling():
            return self._searched(points)
        length = max(1, BASIS_CHUNK_BYTES // (8 * (self._bins.width + len(self._offsets))))
        return torch.cat([self._searched(some) for some in torch.split(points, length)])

    def _searched(self, points: Float[Tensor, "N ndim"]) -> Int64[Tensor, "N"]:
        pieces = self._bins.near(points)
        constant, *slopes = self._to_weights.to(points).unbind(dim=1)
        least = torch.full(pieces.shape, torch.inf, dtype=points.dtype, device=points.device)
        for corner in range(self.triangles.shape[1]):
            weight = constant[:, corner][pieces]
            for coordinate, slope in zip(points.unbind(dim=1), slopes, strict=True):
                weight = torch.addcmul(weight, slope[:, corner][pieces], coordinate[:, None])
            least = torch.minimum(least, weight)
        held = pieces.gather(1, least.max(dim=1, keepdim=True).indices)[:, 0]
        distance, facet = self._distances(points).max(dim=-1)
        return torch.where(distance > 0, self.regions.to(points.device)[len(self.triangles) :][facet], held)

    def _distances(self, points: Float[Tensor, "*any ndim"]) -> Float[Tensor, "*any facets"]:
        """The distances of points from the line (plane) of each edge (face) of the hull, positive outside."""
        return points @ self._normals.to(points).T - self._offsets.to(points)


class _Bins:
    """Cells of the box around a mesh, about as many as pieces, each with the pieces that may overlap it."""

    def __init__(self, corners: Float[Tensor, "pieces corners ndim"]) -> None:
        low, high = corners.amin(dim=1), corners.amax(dim=1)
        ndim = corners.shape[2]
        self._low = low.amin(dim=0)
        self._n = math.ceil(len(corners) ** (1 / ndim))
        self._per_unit = self._n / (high.amax(dim=0) - self._low)
        first, last = (self._cell(bound, margin) for bound, margin in ((low, -1e-6), (high, 1e-6)))
        pieces: list[list[int]] = [[] for _ in range(self._n**ndim)]
        for piece, (start, stop) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            for cell in itertools.product(*(range(a, b + 1) for a, b in zip(start, stop, strict=True))):
                pieces[functools.reduce(lambda index, n: index * self._n + n, cell)].append(piece)
        self.width = max(map(len, pieces))
        # Rows of one length: more copies of the first piece change nothing.
        rows = [(row or [0]) + [(row or [0])[0]] * (self.width - max(len(row), 1)) for row in pieces]
        self._pieces = torch.tensor(rows)

    def near(self, points: Float[Tensor, "N ndim"]) -> Int64[Tensor, "N width"]:
        """The pieces that may hold each point of the mesh; any for others.

        Args:
            points: on the mesh.
        """
        index = torch.zeros_like(points[:, 0], dtype=torch.int64)
        for cell in self._cell(points, 0.0).unbind(dim=1):
            index = index * self._n + cell
        return self._pieces.to(points.device)[index]

    def _cell(self, points: Float[Tensor, "N ndim"], margin: float) -> Int64[Tensor, "N ndim"]:
        cell = (points - self._low.to(points)) * self._per_unit.to(points) + margin
        return clamped(cell, 0.0, self._n - 1, lost=0.0).floor().long()


def _triangles(positions: Float[Tensor, "K ndim"]) -> Int64[Tensor, "pieces corners"]:
    """The pieces of a triangulation, without flat ones."""
    from scipy.spatial import ConvexHull, Delaunay  # slow to import, and only needed where positions are given

    points = positions.numpy()
    with qhull_refusals(positions):
        pieces = torch.from_numpy(Delaunay(points).simplices).long()
    flat = _is_flat(positions, pieces)
    if points.shape[1] == 3 and flat.any():
        # Between four points of one plane and one sphere Qhull puts a flat tetrahedron, whose two sides are cut along
        # different diagonals: the map would jump there. Lifted by random heights no five points are on one sphere.
        raised = 1e-3 * spacing(positions) ** 2 * np.random.default_rng(0).random(len(points))
        with qhull_refusals(positions):
            hull = ConvexHull(np.column_stack([points, (points**2).sum(axis=1) + raised]))
        pieces = torch.from_numpy(hull.simplices[hull.equations[:, -2] < -COINCIDENT]).long()
        flat = _is_flat(positions, pieces)
    # Those at the border are left out: between points of the hull that lie on one line but for rounding.
    return pieces[~flat].sort(dim=1).values


def _is_flat(positions: Float[Tensor, "K ndim"], pieces: Int64[Tensor, "pieces corners"]) -> Bool[Tensor, "pieces"]:
    """The mask of pieces without a height but for rounding."""
    # The smallest singular value of the edges is the smallest height but for a small factor.
    return torch.linalg.svdvals(positions[pieces].diff(dim=1))[:, -1] < FLAT


def _hull(
    positions: Float[Tensor, "K ndim"], triangles: Int64[Tensor, "pieces corners"]
) -> tuple[Int64[Tensor, "facets"], Float[Tensor, "facets ndim"], Float[Tensor, "facets"]]:
    """The pieces at the edges (faces) of the convex hull, and the normals and offsets of these."""
    ndim = positions.shape[1]
    sides: dict[tuple[int, ...], list[int]] = {}
    for piece, corners in enumerate(triangles.tolist()):
        for side in itertools.combinations(sorted(corners), ndim):
            sides.setdefault(side, []).append(piece)
    outer = [(side, pieces[0]) for side, pieces in sides.items() if len(pieces) == 1]
    corners = positions[torch.tensor([side for side, _ in outer])]
    owners = torch.tensor([piece for _, piece in outer])
    edges = corners.diff(dim=1)
    normals = (
        edges[:, 0].flip(-1) * torch.tensor([1.0, -1.0]) if ndim == 2 else torch.linalg.cross(edges[:, 0], edges[:, 1])
    )
    normals = normals / normals.norm(dim=1, keepdim=True)
    center = positions[triangles[owners]].mean(dim=1)
    outward = ((corners[:, 0] - center) * normals).sum(dim=1).sign()
    normals = normals * outward[:, None]
    return owners, normals, (corners[:, 0] * normals).sum(dim=1)
