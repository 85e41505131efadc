"""Thin plate splines."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# Control points closer to each other than this coincide.
COINCIDENT = 1e-9
# Sums of weights this large (a regular lattice has them from 9 × 9 on, close points earlier) lose more than 1e-5 of
# a grid in float32.
LARGE_WEIGHTS = 20.0
# The same for the cardinal functions, evaluated at this number of points along each axis. (Those of a regular lattice
# do not exceed 1.)
LARGE_CARDINAL = 4.0
PROBES = 16


class ThinPlateSpline(stnkit.families.LinearFamily):
    """T_θ(p) = Σ_k w_k φ(‖p − c_k‖) + a_0 + A p, the smoothest map that takes control point c_k to θ_k.

    In two dimensions φ(r) = ½ r² log r², in three φ(r) = −r, and Σ w_k = Σ w_k c_k = 0. θ holds the source
    positions of the K control points: all x, then all y (then all z), in the order of the control points, x
    fastest on a lattice. The identity is the control points themselves. With λ > 0 the spline no longer
    passes through θ_k exactly, but bends less; every affine map is still reproduced.

    In three dimensions the spline has a kink at its control points, and the derivative there is the mean
    over all directions.

    Args:
        control_points: numbers of points on a regular lattice over [-1, 1], ends included: [rows, columns] or
            [planes, rows, columns], each at least 2; or the positions themselves, [x, y] or [x, y, z] each,
            not all on one line or plane; by default 4 on each axis.
        regularization: λ, at least 0, added to the diagonal of the kernel's matrix.
        ndim: number of dimensions, 2 or 3.

    Raises:
        InputError: when `ndim` is neither 2 nor 3, the control points are too few, coincide or lie on one
            line or plane, or λ is negative or not finite.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "tps", control_points=[3, 3])
        >>> family.grid(family.identity()[None].float(), (28, 28)).shape
        torch.Size([1, 28, 28, 2])

    Source: Bookstein, Principal Warps, PAMI 1989; Jaderberg et al. 2015, section 3.2; λ as in Wahba, Spline
    Models for Observational Data, 1990, section 2.4.
    """

    @stnkit.coordinates.built_on_cpu
    def __init__(
        self,
        control_points: list[int] | list[list[float]] | None = None,
        regularization: float = 0.0,
        ndim: int = 2,
    ) -> None:
        super().__init__()
        if not 0 <= regularization < math.inf:
            raise stnkit.errors.InputError(
                f"regularization: expected a finite number of at least 0, got {regularization}"
            )
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        self.regularization = float(regularization)
        self.control_points = _positions([4] * ndim if control_points is None else control_points, ndim)
        self.reflections = _reflections(self.control_points)
        self.n_params = self.control_points.numel()
        self._weights = _weights(self.control_points, regularization)
        # Where they are small, the number of functions decides.
        self.wide = float(self._weights.abs().max()) > LARGE_WEIGHTS or None
        no_bend = torch.zeros(ndim, self.control_points.shape[0] + 1, dtype=torch.float64)
        self._weights_of_identity = torch.cat([no_bend, torch.eye(ndim, dtype=torch.float64)], dim=1)
        self._control_points_planar = self.control_points.T.contiguous()
        # Between points that are very close the cardinal functions are large, of both signs.
        probes = stnkit.coordinates.lattice([PROBES] * ndim, dtype=torch.float64).view(-1, ndim)
        self._cardinal_is_wide = float(self._cardinal_functions(probes).abs().max()) > LARGE_CARDINAL
        self._cardinal_basis = stnkit.families.LatticeBasis()

    def identity(self) -> Float[Tensor, "P"]:
        return self.control_points.T.flatten()

    def basis(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N K"]:
        return _functions(points, self.control_points)

    def coefficients(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B ndim K"]:
        # The weights of the identity are known; solved for like the rest they are off by 1e-11 at 32 × 32.
        displacements = self._displacements(theta).flatten(0, 1)
        weights = (displacements @ self._weights.to(theta).T).view(theta.shape[0], self.ndim, self._weights.shape[0])
        return weights + self._weights_of_identity.to(theta)

    @stnkit.families.bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """T_θ(p) = p + Σ_k (θ_k − c_k) C_k(p), C_k the spline of the value 1 at c_k and 0 at the other points.

        The same spline, with its system solved for the lattice once and not for every θ; with λ or without,
        Σ c_k C_k(p) = p. On a regular lattice of control points no term is larger than a displacement, so float32 can
        add them. A basis too large for the cache would cost more than the kernels, and gives way to them.
        """
        displacements = self._displacements(theta.double())
        position = _position(self.ndim, displacements.dtype, displacements.device)
        coefficients = torch.cat([displacements, position.expand(theta.shape[0], -1, -1)], dim=2)
        dtype = stnkit.families.sum_dtype(coefficients.shape[-1], theta.dtype, self._cardinal_is_wide)
        coefficients = coefficients.to(dtype)
        if not self._cardinal_basis.is_cacheable(coefficients, size, self.reflections):
            return self.planar_grid(theta, size)
        functions = self._cardinal_functions
        return self._cardinal_basis.product(functions, coefficients, size, theta.dtype, self.reflections).movedim(1, -1)

    def extra_repr(self) -> str:
        return f"{self.control_points.shape[0]} control points, regularization={self.regularization}"

    def _displacements(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B ndim K"]:
        positions = theta.view(theta.shape[0], self.ndim, self.n_params // self.ndim)
        return positions - self._control_points_planar.to(theta)

    def _cardinal_functions(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N functions"]:
        """C_k, then 1, x and y (and z)."""
        cardinal = _functions(points, self.control_points) @ self._weights.to(points)
        return torch.cat([cardinal, torch.ones_like(points[:, :1]), points], dim=1)


@stnkit.families.cached
def _position(ndim: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "ndim functions"]:
    """The coefficients of 1, x and y (and z) in the position itself."""
    return torch.eye(ndim, ndim + 1, dtype=dtype, device=device).roll(1, dims=1)


def _functions(
    points: Float[Tensor, "N ndim"], control_points: Float[Tensor, "K ndim"]
) -> Float[Tensor, "N functions"]:
    """The kernels, 1, x and y (and z)."""
    return torch.cat([_kernel(points, control_points.to(points)), torch.ones_like(points[:, :1]), points], dim=1)


def _kernel(points: Float[Tensor, "N ndim"], control_points: Float[Tensor, "K ndim"]) -> Float[Tensor, "N K"]:
    # Distances from differences: expanded into a product of matrices they lose half of the digits.
    differences = [p[:, None] - c for p, c in zip(points.unbind(dim=1), control_points.unbind(dim=1), strict=True)]
    squared = differences[0].square()
    for difference in differences[1:]:
        squared = torch.addcmul(squared, difference, difference)
    # At a control point the logarithm and the root have no derivative, while that of the kernel is 0, or defined as
    # 0. Mask the argument, so that no infinity enters the first or the second backward pass.
    apart = squared > torch.finfo(squared.dtype).tiny
    safe = torch.where(apart, squared, 1.0)
    if points.shape[1] == 2:
        return 0.5 * squared * safe.log()
    return torch.where(apart, -safe.sqrt(), 0.0)


def _weights(control_points: Float[Tensor, "K ndim"], regularization: float) -> Float[Tensor, "weights K"]:
    """The matrix from the values at the control points to the K + ndim + 1 weights of the spline."""
    n_points, ndim = control_points.shape
    affine = np.column_stack([np.ones(n_points), control_points.numpy()])
    system = np.zeros((n_points + ndim + 1, n_points + ndim + 1))
    system[:n_points, :n_points] = _kernel(control_points, control_points).numpy()
    system[:n_points, :n_points] += regularization * np.eye(n_points)
    system[:n_points, n_points:] = affine
    system[n_points:, :n_points] = affine.T
    return torch.from_numpy(np.linalg.solve(system, np.eye(n_points + ndim + 1, n_points)))


def _reflections(control_points: Float[Tensor, "K ndim"]) -> tuple[stnkit.families.Reflection, ...]:
    """The symmetries of the kernels and 1, x, y (, z); none if the control points are not symmetric."""
    from scipy.spatial import KDTree  # slow to import, and only needed where a spline is made

    n_points, ndim = control_points.shape
    affine = np.arange(n_points, n_points + ndim + 1)
    reflections = []
    for coordinate in range(ndim):
        mirror = np.ones(ndim)
        mirror[coordinate] = -1.0
        distance, order = KDTree(control_points.numpy()).query(control_points.numpy() * mirror)
        if np.max(distance) > COINCIDENT:
            return ()
        signs = torch.ones(n_points + ndim + 1, dtype=torch.float64)
        signs[n_points + 1 + coordinate] = -1.0
        reflections.append(stnkit.families.Reflection(torch.from_numpy(np.concatenate([order, affine])), signs))
    return tuple(reflections)


def _positions(control_points: Sequence[int] | Sequence[Sequence[float]], ndim: int) -> Float[Tensor, "K ndim"]:
    # `build` has checked that it is a list, but a type check samples one of its entries only.
    if all(isinstance(n, int) and not isinstance(n, bool) for n in control_points):
        return _lattice([n for n in control_points if isinstance(n, int)], ndim)
    points = [list(point) for point in control_points if isinstance(point, Sequence)]
    numbers = all(isinstance(x, int | float) for point in points for x in point)
    if not numbers or len(points) != len(control_points) or any(len(point) != ndim for point in points):
        raise stnkit.errors.InputError(
            f"control_points: expected {ndim} whole numbers, or a list of positions of {ndim} coordinates each, "
            f"got {control_points}"
        )
    positions = np.array(points, dtype=np.float64)
    if not np.isfinite(positions).all():
        raise stnkit.errors.InputError(f"control_points: expected finite positions, got {control_points}")
    _check_distinct(positions)
    # The affine part has one solution only if the differences of the points span all dimensions.
    if np.linalg.matrix_rank(positions - positions.mean(axis=0), tol=COINCIDENT) < ndim:
        kind = "line" if ndim == 2 else "plane"
        raise stnkit.errors.InputError(
            f"control_points: expected positions that do not lie on one {kind}, where no spline is unique, "
            f"got {control_points}"
        )
    return torch.from_numpy(positions)


def _check_distinct(positions: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    first, second = np.triu_indices(len(positions), k=1)
    from scipy.spatial.distance import pdist  # slow to import, and only needed where a spline is made

    together = np.flatnonzero(pdist(positions) <= COINCIDENT)
    if len(together):
        pairs = ", ".join(f"{first[k]} and {second[k]} at {positions[first[k]].tolist()}" for k in together)
        raise stnkit.errors.InputError(f"control_points: expected different positions, got coincident ones: {pairs}")


def _lattice(shape: Sequence[int], ndim: int) -> Float[Tensor, "K ndim"]:
    if len(shape) != ndim or any(n < 2 for n in shape):
        raise stnkit.errors.InputError(
            f"control_points: expected {ndim} whole numbers of at least 2, or positions, got {list(shape)}"
        )
    axes = [torch.linspace(-1, 1, n, dtype=torch.float64) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1).view(-1, ndim)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("tps", ThinPlateSpline)
