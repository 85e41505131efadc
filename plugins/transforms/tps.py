"""Thin plate splines, and splines of other radial kernels."""

import math
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

import stnkit

# Sums of weights this large (a regular lattice has them from 9 × 9 on, close points earlier) lose more than 1e-5 of
# a grid in float32.
LARGE_WEIGHTS = 20.0
# The same for the cardinal functions, evaluated at this number of points along each axis. (Those of a regular lattice
# do not exceed 1.)
LARGE_CARDINAL = 4.0
PROBES = 16
# The kernel that bends least, in two dimensions and in three.
SMOOTHEST = {2: stnkit.families.RadialKernel.thin_plate_spline, 3: stnkit.families.RadialKernel.linear}


class ThinPlateSpline(stnkit.families.LinearFamily):
    """T_θ(p) = Σ_k w_k φ(‖p − c_k‖) + a_0 + A p, the smoothest map that takes control point c_k to θ_k.

    In two dimensions φ(r) = ½ r² log r², in three φ(r) = −r, and Σ w_k = Σ w_k c_k = 0. θ holds the source
    positions of the K control points: all x, then all y (then all z), in the order of the control points, x
    fastest on a lattice. The identity is the control points themselves. With λ > 0 the spline no longer
    passes through θ_k exactly, but bends less; every affine map is still reproduced.

    In three dimensions the spline has a kink at its control points, and the derivative there is the mean
    over all directions.

    Another `kernel` gives another spline through the same points: cubic and quintic have two derivatives at
    control points in three dimensions too, and the last four, functions of ε‖p − c_k‖, bend more locally the
    larger ε is. All reproduce affine maps. A pinned control point stays where it is, exactly, whatever λ of the
    others is, and is no entry of θ; the others keep their order.

    Args:
        control_points: numbers of points on a regular lattice over [-1, 1], ends included: [rows, columns] or
            [planes, rows, columns], each at least 2; or the positions themselves, [x, y] or [x, y, z] each,
            not all on one line or plane; by default 4 on each axis.
        regularization: λ, at least 0, added to the diagonal of the kernel's matrix; or a list with one for each
            control point, 0 for pinned ones.
        ndim: number of dimensions, 2 or 3.
        pinned: control points that do not move, `borders` (those on their convex hull) or a list of indices; by
            default none.
        kernel: φ(r): thin_plate_spline (r² log r), linear (−r), cubic (r³), quintic (−r⁵), gaussian (exp(−r²)),
            multiquadric (−√(1 + r²)), inverse_multiquadric or inverse_quadratic; by default the smoothest, above.
        epsilon: ε, above 0, for the last four kernels; by default 1 / the mean distance of a control point to
            its nearest neighbor.

    Raises:
        InputError: when an option is out of its range; the control points are too few, coincide or lie on one
            line or plane (for the kernel quintic on one conic or quadric); a pinned one has λ > 0, or none is
            free; or control points are so close, or ε so small, that the spline misses them by 1e-5.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "tps", control_points=[3, 3])
        >>> family.grid(family.identity()[None].float(), (28, 28)).shape
        torch.Size([1, 28, 28, 2])

    Source: Bookstein, Principal Warps, PAMI 1989; Jaderberg et al. 2015, section 3.2; λ as in Wahba, Spline
    Models for Observational Data, 1990, section 2.4; kernels as in SciPy's RBFInterpolator.
    """

    @stnkit.coordinates.built_on_cpu
    def __init__(
        self,
        control_points: list[int] | list[list[float]] | None = None,
        regularization: float | list[float] = 0.0,
        ndim: int = 2,
        pinned: str | list[int] | None = None,
        kernel: stnkit.families.RadialKernel | str | None = None,
        epsilon: float | None = None,
    ) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        chosen = SMOOTHEST[ndim] if kernel is None else stnkit.families.RadialKernel.parse(kernel)
        given = [4] * ndim if control_points is None else control_points
        self.control_points = stnkit.families.control_positions(given, ndim)
        points = stnkit.families.PinnedPoints.of_positions(pinned, self.control_points)
        self.pinned, free = points.indices, points.free
        self.has_constant = bool(self.pinned)
        self.n_params = ndim * len(free)
        self.lattice_shape = None if self.pinned else stnkit.families.lattice_counts(given)
        self.regularization = regularization
        strength = _strengths(regularization, len(self.control_points), self.pinned)
        epsilon = _shape_parameter(epsilon, chosen, self.control_points)
        self._functions = stnkit.families.RadialBasis(self.control_points, chosen, epsilon)
        self.reflections = self._functions.reflections()
        # Pinned points have no displacement, which their weights would be multiplied by.
        self._weights = self._functions.cardinal_weights(strength)[:, free]
        self._cardinal_reflections = _cardinal_reflections(self.reflections, free, strength)
        # Where they are small, the number of functions decides. Other kernels are larger than the two.
        self.wide = chosen is not SMOOTHEST[ndim] or float(self._weights.abs().max()) > LARGE_WEIGHTS or None
        n_monomials = self._functions.n_monomials
        self._weights_of_identity = torch.zeros(ndim, len(self.control_points) + n_monomials, dtype=torch.float64)
        self._weights_of_identity[:, -n_monomials + 1 :][:, :ndim] = torch.eye(ndim, dtype=torch.float64)
        self._free_positions = self.control_points[free].T.contiguous()
        self._to_displacements = -self._free_positions
        # Between points that are very close the cardinal functions are large, of both signs.
        probes = stnkit.coordinates.lattice([PROBES] * ndim, dtype=torch.float64).view(-1, ndim)
        self._cardinal_is_wide = float(self._cardinal_functions(probes).abs().max()) > LARGE_CARDINAL
        self._cardinal_basis = stnkit.families.LatticeBasis()

    def identity(self) -> Float[Tensor, "P"]:
        return self._free_positions.clone().flatten()

    def basis(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N K"]:
        return self._functions(points)

    def coefficients(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B ndim K"]:
        # The weights of the identity are known; solved for like the rest they are off by 1e-11 at 32 × 32.
        displacements = self._displacements(theta, torch.float64).flatten(0, 1)
        weights = (displacements @ self._weights.to(displacements).T).view(
            theta.shape[0], self.ndim, self._weights.shape[0]
        )
        return (weights + self._weights_of_identity.to(weights)).to(theta.dtype)

    @stnkit.families.bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """T_θ(p) = p + Σ_k (θ_k − c_k) C_k(p), C_k the spline of the value 1 at c_k and 0 at the other points, k free.

        The same spline, with its system solved for the lattice once and not for every θ; with λ or without,
        Σ c_k C_k(p) = p. On a regular lattice of control points no term is larger than a displacement, so float32 can
        add them. A basis too large for the cache would cost more than the kernels, and gives way to them.
        """
        n_functions = self.n_params // self.ndim + 1 + self.ndim
        dtype = stnkit.families.sum_dtype(n_functions, theta.dtype, self._cardinal_is_wide)
        position = _position(self.ndim, dtype, theta.device)
        coefficients = torch.cat([self._displacements(theta, dtype), position.expand(theta.shape[0], -1, -1)], dim=2)
        if not self._cardinal_basis.is_cacheable(coefficients, size, self._cardinal_reflections):
            return self.planar_grid(theta, size)
        functions = self._cardinal_functions
        return stnkit.families.coordinates_last(
            self._cardinal_basis.product(functions, coefficients, size, theta.dtype, self._cardinal_reflections)
        )

    def extra_repr(self) -> str:
        described = f"{len(self.control_points)} control points, regularization={self.regularization}"
        kernel, pinned = self._functions.kernel, f", {len(self.pinned)} pinned" if self.pinned else ""
        scale = f", epsilon={self._functions.epsilon:.4g}" if kernel.has_scale else ""
        return described + pinned + (f", kernel={kernel}{scale}" if kernel is not SMOOTHEST[self.ndim] else "")

    def _displacements(self, theta: Float[Tensor, "B P"], dtype: torch.dtype) -> Float[Tensor, "B ndim K"]:
        positions = theta.view(theta.shape[0], self.ndim, self.n_params // self.ndim)
        return stnkit.families.widened_sum(positions, self._to_displacements, dtype)

    def _cardinal_functions(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N functions"]:
        """C_k, then 1, x and y (and z)."""
        cardinal = self._functions(points) @ self._weights.to(points)
        return torch.cat([cardinal, torch.ones_like(points[:, :1]), points], dim=1)


@stnkit.families.cached
def _position(ndim: int, dtype: torch.dtype, device: torch.device) -> Float[Tensor, "ndim functions"]:
    """The coefficients of 1, x and y (and z) in the position itself."""
    return torch.eye(ndim, ndim + 1, dtype=dtype, device=device).roll(1, dims=1)


def _strengths(regularization: float | Sequence[float], n_points: int, pinned: tuple[int, ...]) -> Float[Tensor, "K"]:
    """λ of each control point."""
    each = isinstance(regularization, Sequence)
    given = list(regularization) if isinstance(regularization, Sequence) else [regularization]
    if not all(0 <= strength < math.inf for strength in given):
        raise stnkit.errors.InputError(
            f"regularization: expected {'finite numbers' if each else 'a finite number'} of at least 0, "
            f"got {regularization}"
        )
    if each and len(given) != n_points:
        raise stnkit.errors.InputError(
            f"regularization: expected a number, or one for each of {n_points} control points, got {len(given)}"
        )
    strengths = torch.tensor(given, dtype=torch.float64).expand(n_points).clone()
    for index in pinned:
        if each and strengths[index]:
            raise stnkit.errors.InputError(
                f"regularization: expected 0 for the control point {index}, which is pinned, got {given[index]}"
            )
        strengths[index] = 0
    return strengths


def _shape_parameter(
    epsilon: float | None, kernel: stnkit.families.RadialKernel, positions: Float[Tensor, "K ndim"]
) -> float:
    if epsilon is not None and not kernel.has_scale:
        raise stnkit.errors.InputError(
            f"epsilon: expected none for the kernel {kernel}, which is the same at every scale, got {epsilon}"
        )
    if epsilon is not None and not 0 < epsilon < math.inf:
        raise stnkit.errors.InputError(f"epsilon: expected a finite number above 0, got {epsilon}")
    if epsilon is not None or not kernel.has_scale:
        return 1.0 if epsilon is None else float(epsilon)
    # Of more than 25 points cdist is not exact otherwise.
    apart = torch.cdist(positions, positions, compute_mode="donot_use_mm_for_euclid_dist")
    nearest = apart.fill_diagonal_(math.inf).amin(dim=1)
    return 1 / float(nearest.mean())


def _cardinal_reflections(
    reflections: tuple[stnkit.families.Reflection, ...], free: Int64[Tensor, "F"], strengths: Float[Tensor, "K"]
) -> tuple[stnkit.families.Reflection, ...]:
    """The symmetries of the cardinal functions of the free points and 1, x, y (, z); none if λ or they have none."""
    n_points, n_free, ndim = len(strengths), len(free), len(reflections)
    rank = torch.full((n_points,), -1).scatter(0, free, torch.arange(n_free))
    found = []
    for order, signs in reflections:
        mirrored = order[:n_points]
        if (rank[mirrored[free]] < 0).any() or not torch.equal(strengths[mirrored], strengths):
            return ()
        affine = slice(n_points, n_points + ndim + 1)
        own = torch.cat([rank[mirrored[free]], torch.arange(n_free, n_free + ndim + 1)])
        found.append(stnkit.families.Reflection(own, torch.cat([signs[free], signs[affine]])))
    return tuple(found)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("tps", ThinPlateSpline)
