"""Flows of continuous piecewise affine velocity fields (CPAB)."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit
from stnkit import coordinates

# Bound of a velocity, in normalized units: a point crosses the image four times.
FASTEST = 8.0
# Singular values below this share of the largest, and residuals of columns, count as 0.
RANK = 1e-8


class CPAB(stnkit.TransformFamily):
    """T_θ(p) = φ(p, 1), where φ(p, 0) = p and dφ/dt = v_θ(φ): a diffeomorphism with the inverse T_−θ.

    v_θ is continuous and affine in each triangle of a tessellation: rows × columns cells over [-1, 1]², each cut into
    four by its center. It is linear in θ, and the identity is 0. θ holds the velocities of the vertices, in
    normalized units per unit of time, planar: all x, then all y, first of the corners of the cells row by row, x
    fastest, then of their centers. With `zero_boundary` the components normal to the edges of the square are 0 and no
    entries of θ: the square is mapped to itself, and points on its edges slide along them. With `volume_preserving`
    the field has no divergence in any triangle, so that areas stay as they are, and θ are coefficients of an
    orthonormal basis of these fields.

    Outside of the square v(p) = v(p clamped to the square), so T is continuous everywhere; areas are preserved inside
    only. Trajectories are exact up to rounding, in any number of triangles. Fields that do not preserve areas press
    points together until they are one in the last digit. Where points cross up to 3 cells in the unit of time, for 3×3
    cells a speed |v| of up to 2 at all vertices, T_−θ(T_θ(p)) is p within 2e-3 in float32 and 3e-12 in float64; for 6
    cells within 2e-7 in float64; for 12 it is lost, and some pixels count as folded. Components beyond 8 are clamped; a
    field that preserves areas is slowed as a whole. The family does not compose. There are two dimensions only.

    Args:
        cells: numbers of cells [rows, columns], each at least 1; null is 3 on each axis.
        zero_boundary: True for a map of the square onto itself.
        volume_preserving: True for a map that preserves areas.

    Raises:
        InputError: when `cells` are not two whole numbers, or no field but 0 meets the constraints.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "cpab")
        >>> family.n_params
        34
        >>> theta = 0.3 * torch.ones(1, 34)
        >>> round(family(theta, family.inverse(theta, torch.zeros(1, 1, 2))).abs().max().item(), 6)
        0.0

    Source: Freifeld et al., Transformations based on continuous piecewise-affine velocity fields, PAMI 2017; Skafte
    Detlefsen et al., Deep diffeomorphic transformer networks, CVPR 2018.
    """

    @coordinates.built_on_cpu
    def __init__(
        self, cells: list[int] | None = None, zero_boundary: bool = True, volume_preserving: bool = False
    ) -> None:
        super().__init__()
        self.cells = coordinates.check_counts("cells", [3, 3] if cells is None else cells, 2, at_least=1)
        self.zero_boundary, self.volume_preserving = zero_boundary, volume_preserving
        self.tessellation = stnkit.families.Tessellation(*self.cells)
        on_edge = self.tessellation.vertices.T.abs() == 1
        free = ~(on_edge & zero_boundary).flatten()
        self.n_params = int(free.sum())
        # The entry of θ for each velocity; one past the end is 0.
        self._entries = torch.where(free, free.cumsum(0) - 1, self.n_params)
        self._basis = None
        if volume_preserving:
            velocities = self._velocities(torch.eye(self.n_params, dtype=torch.float64))
            self._basis = _null_space(self.tessellation.divergence(velocities).T)
            self.n_params = len(self._basis)
        if self.n_params == 0:
            raise stnkit.errors.InputError(
                f"cells: expected more of them with these constraints, got {list(self.cells)}"
            )

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N 2"]) -> Float[Tensor, "B N 2"]:
        return stnkit.families.flow(self.velocities(theta), points, self.tessellation)

    @stnkit.families.bounded
    @stnkit.families.image_by_image
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B H W 2"]:
        """`forward` on the pixel centers, whose triangles are cached; a point moves by at most its largest velocity."""
        return stnkit.families.flow_lattice(self.velocities(theta), size, self.tessellation)

    def _inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N 2"]) -> Float[Tensor, "B N 2"]:
        """T_−θ(q): the flow backward in time."""
        return self.forward(-theta, points)

    def velocities(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B K 2"]:
        """The velocities of the vertices of the tessellation, in normalized units.

        Args:
            theta: one row of parameters for each element of the batch, in float32 or float64.
        """
        if self._basis is not None:
            # Coefficients are clamped where every field is too fast, so that the velocities are finite.
            largest = FASTEST * len(self._entries) ** 0.5
            # In float64, which no setting narrows.
            bounded = coordinates.finite(theta.double(), largest)
            velocities = self._velocities((bounded @ self._basis.to(theta.device)).to(theta.dtype))
            # Slowed as a whole: clamped one by one, coefficients would bend the field, and velocities diverge.
            fastest = velocities.abs().amax(dim=(1, 2), keepdim=True).clamp_min(FASTEST)
            return velocities * (FASTEST / fastest)
        return self._velocities(coordinates.finite(theta, FASTEST))

    def extra_repr(self) -> str:
        shown = f"cells={list(self.cells)}, zero_boundary={self.zero_boundary}"
        return f"{shown}, volume_preserving={self.volume_preserving}"

    def _velocities(self, entries: Float[Tensor, "B P"]) -> Float[Tensor, "B K 2"]:
        if stnkit.families.is_scripted():
            planes = entries @ _selection(tuple(self._entries.tolist()), entries.shape[1], entries.dtype)
        else:
            padded = torch.nn.functional.pad(entries, (0, 1)) if self.zero_boundary else entries
            planes = padded.index_select(1, self._entries.to(entries.device))
        return planes.view(-1, 2, len(self.tessellation.vertices)).transpose(1, 2)


@stnkit.families.cached
def _selection(entries: tuple[int, ...], n: int, dtype: torch.dtype) -> Float[Tensor, "n selected"]:
    """The matrix of 0 and 1 that selects entries of n, and 0 past the end: ncnn has no index_select."""
    return torch.eye(n + 1, dtype=dtype)[:n, list(entries)].contiguous()


def _null_space(constraints: Float[Tensor, "n P"]) -> Float[Tensor, "rank P"]:
    """An orthonormal basis of {x: constraints · x = 0}, the same on every machine but for rounding.

    The projector onto that space is unique, and so is the Gram–Schmidt basis of its columns in their order.
    """
    _, values, vectors = torch.linalg.svd(constraints)
    null = vectors[int((values > RANK * values[0]).sum()) :]
    basis = null[:0]
    for column in null.T @ null:
        for _ in range(2):  # once more, for what rounding has left
            column = column - (basis @ column) @ basis
        if column.norm() > RANK**0.5:
            basis = torch.cat([basis, column[None] / column.norm()])
    return basis


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("cpab", CPAB)
