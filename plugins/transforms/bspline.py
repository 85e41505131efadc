"""Free-form deformations by cubic B-splines."""

import math
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

import stnkit
from stnkit import coordinates

# A cubic reaches over four control points along an axis, and at a knot over three.
REACH = 4


class BSpline(stnkit.TransformFamily):
    """T_θ(p) = p + Σ_i θ_i Π_d β((p_d − c_{i_d}) / h_d), with β the uniform cubic B-spline.

    θ is planar: the displacements of all control points along x, then along y (then z), in normalized
    units, each a lattice of [rows, columns] row by row. The identity is 0. Along an axis with n control
    points their spacing is h = 2/(n − 3), and control point i lies at c_i = (i − 1)·h − 1: one spacing beyond
    either edge, so that on all of [-1, 1] four control points reach every point, β sums to one, equal
    displacements are a translation, and all affine maps are in the family. Farther outside T fades to p.

    T is twice continuously differentiable, and does not fold while no displacement reaches 0.48·h along any
    axis (0.40·h in three dimensions; Choi and Lee 2000). It does not compose, and its inverse is iterated.

    A pinned control point has the displacement 0, which is no entry of θ; the others keep their order. An edge
    of the image lies on the second layer of control points, and the outermost three reach it. `borders`
    pins these three on every side: for every θ then T and its first two derivatives are those of the identity
    on the edge, and T is the identity outside. With fewer layers pinned the edge moves.

    Args:
        control_points: size of the lattice, [rows, columns] or [slices, rows, columns], at least 4 on each axis,
            and 7 where borders are pinned; null is 8 on each.
        ndim: number of dimensions, 2 or 3.
        pinned: control points that do not move, `borders` or a list of indices in the order of the lattice, row
            by row; by default none.

    Raises:
        InputError: when `ndim` is neither 2 nor 3, there are not `ndim` whole numbers of control points, or
            `pinned` is neither of its forms or leaves no control point free.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "bspline", control_points=[5, 6])
        >>> family.n_params
        60

    Source: Rueckert et al. 1999, Nonrigid registration using free-form deformations, the local motion model;
    Choi and Lee 2000, Injectivity conditions of 2D and 3D uniform cubic B-spline functions.
    """

    @coordinates.built_on_cpu
    def __init__(
        self,
        control_points: list[int] | None = None,
        ndim: int = 2,
        pinned: str | list[int] | None = None,
    ) -> None:
        super().__init__()
        self.ndim = coordinates.check_ndim(ndim)
        counts = [8] * ndim if control_points is None else control_points
        self.control_points = coordinates.check_counts("control_points", counts, ndim, at_least=REACH)
        self._pinned = stnkit.families.PinnedPoints(pinned, _border(self.control_points))
        self.pinned = self._pinned.indices
        self.n_params = ndim * len(self._pinned.free)
        self._resting = torch.zeros(ndim, math.prod(self.control_points), dtype=torch.float64)
        if not self.pinned:
            self.lattice_shape = self.control_points
            self.lattice_extent = tuple((n - 1) / (n - 3) for n in self.control_points)

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """T_θ at any points: each reads the 4^ndim control points that reach it, and no others."""
        displacements = self._displacements(theta)
        first, weights = self._support(points)
        first = first.unsqueeze(1).expand(theta.shape[0], self.ndim, -1)
        return points + self._summed(displacements, first, weights, axis=0, offset=0).transpose(1, 2)

    @stnkit.families.bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """T_θ on the pixel centers of an output of `size`, as one product with a small matrix for each axis.

        The splines reproduce the identity on [-1, 1], but adding it to θ would let the products round it, by 1e-4 of a
        pixel at 1024.
        """
        # The basis is a partition of unity: bounded displacements give a bounded grid.
        displacements = self._displacements(coordinates.finite(theta))
        displacements = displacements.view(theta.shape[0], self.ndim, *self.control_points)
        return stnkit.families.displaced_lattice(displacements, size, _axis_basis)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Linear least squares."""
        start = self.identity().to(target)
        return stnkit.families.linear_least_squares(self, start, target, source, weights, self._functions)

    def _functions(self, points: Float[Tensor, "B N ndim"]) -> tuple[Int[Tensor, "B N S"], Float[Tensor, "B N S"]]:
        """The indices among the free control points and the weights of the 4^ndim that reach each point."""
        first, weights = self._support(points)
        index, value = first[..., None], torch.ones_like(points[..., :1])
        for axis, along in enumerate(weights):
            stride = math.prod(self.control_points[axis + 1 :])
            index = torch.cat([index + j * stride for j in range(REACH)], dim=-1)
            value = torch.cat([value * weight[:, 0, :, None] for weight in along], dim=-1)
        return self._pinned.among_free(index, value)

    def _bending_energy(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B"]:
        """The energy by derivatives of the splines along each axis, which do not depend on θ."""
        displacements = self._displacements(theta).view(theta.shape[0], self.ndim, *self.control_points)
        return stnkit.families.lattice_bending_energy(displacements, size, _axis_derivatives)

    def _displacements(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B ndim K"]:
        """Those of all control points, row by row."""
        free = theta.view(theta.shape[0], self.ndim, self.n_params // self.ndim)
        return self._pinned.completed(free, self._resting)

    def _summed(
        self, displacements: Tensor, first: Tensor, weights: list[list[Tensor]], axis: int, offset: int
    ) -> Float[Tensor, "B ndim N"]:
        """Σ over the control points that reach each point, from `axis` on."""
        if axis == self.ndim:
            # A shifted window, so that all 4^ndim readings share one tensor of indices.
            return displacements[:, :, offset:].gather(2, first)
        stride = math.prod(self.control_points[axis + 1 :])
        terms = [
            self._summed(displacements, first, weights, axis + 1, offset + j * stride) * weights[axis][j]
            for j in range(REACH)
        ]
        return terms[0] + terms[1] + terms[2] + terms[3]

    def _position(self, coordinate: Float[Tensor, "*any"], axis: int) -> Float[Tensor, "*any"]:
        return _in_spacings(coordinate, self.control_points[axis])

    def _support(
        self, points: Float[Tensor, "b N ndim"]
    ) -> tuple[Int[Tensor, "b N"], list[list[Float[Tensor, "b 1 N"]]]]:
        """Flat index of the first control point that reaches each point, and for each axis four weights.

        Beyond the lattice the nearest four are taken, whose weights β fade to 0.
        """
        first = torch.zeros(points.shape[:2], dtype=torch.int64, device=points.device)
        weights = []
        for axis, n in enumerate(self.control_points):
            position = self._position(points[..., self.ndim - 1 - axis], axis)
            # An index must be no NaN and within the lattice; the weights keep the NaN.
            start = stnkit.families.clamped(position.detach(), 1.0, n - 3, lost=1.0).floor() - 1
            first = first * n + start.long()
            weights.append([_beta(position - start - j).unsqueeze(1) for j in range(REACH)])
        return first, weights


def _border(counts: Sequence[int]) -> Bool[Tensor, "K"]:
    """The mask of the control points that reach the edge of the image."""
    axes = [torch.arange(n) for n in counts]
    reaching = [(index < REACH - 1) | (index > n - REACH) for index, n in zip(axes, counts, strict=True)]
    return torch.stack(torch.meshgrid(*reaching, indexing="ij")).any(dim=0).flatten()


def _in_spacings(coordinate: Float[Tensor, "*any"], n_points: int) -> Float[Tensor, "*any"]:
    """A coordinate in units of the spacing, such that control point i lies at i."""
    return (coordinate + 1) * ((n_points - 3) / 2) + 1


@stnkit.families.cached  # on small images its many small operations cost as much as the products
def _axis_basis(n_points: int, n_pixels: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "pixels n"]:
    pixels = coordinates.axis(n_pixels, dtype=torch.float64, device=device)
    indices = torch.arange(n_points, dtype=torch.float64, device=device)
    return _beta(_in_spacings(pixels, n_points)[:, None] - indices).to(dtype)


@stnkit.families.cached
def _axis_derivatives(
    n_points: int, n_pixels: int, order: int, dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "pixels n"]:
    """The derivatives of the splines along an axis, of order 0, 1 or 2."""
    if order == 0:
        return _axis_basis(n_points, n_pixels, dtype, device)
    pixels = coordinates.axis(n_pixels, dtype=torch.float64, device=device)
    t = _in_spacings(pixels, n_points)[:, None] - torch.arange(n_points, dtype=torch.float64, device=device)
    distance = t.abs()
    outer, inner = (2 - distance).clamp(min=0), (1 - distance).clamp(min=0)
    made = t.sign() * (2 * inner**2 - outer**2 / 2) if order == 1 else outer - 4 * inner
    return (made * ((n_points - 3) / 2) ** order).to(dtype)


def _beta(t: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """The cubic B-spline: 2/3 − t² + |t|³/2 for |t| < 1, and (2 − |t|)³/6 from there to 2."""
    distance, near = t.abs(), t.clamp(-1, 1)
    # In t² and not |t|²: the derivative of |t| at 0 is 0 to autograd, and so would the second one of its square be.
    inner = 2 / 3 + near * near * (near.abs() / 2 - 1)
    return torch.where(distance < 1, inner, (2 - distance).clamp(min=0) ** 3 / 6)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("bspline", BSpline)
