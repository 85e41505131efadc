"""Radial kernels, and the basis of a spline that they make with polynomials."""

import enum
import itertools
from collections.abc import Callable
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.errors import InputError
from stnkit.families.mirrored import Reflection
from stnkit.families.positions import COINCIDENT
from stnkit.listed import check_choice

# A spline that misses a unit at a control point by more than this has lost its digits: of two points 1e-6 apart, or of
# 16 × 16 points and a Gaussian twice as wide as their lattice.
UNSOLVED = 1e-5
# Distances below this count as 0, in units of the dtype's resolution: that of a point from a control point at the same
# place, each computed in its own way.
SAME_PLACE = 16


class RadialKernel(enum.StrEnum):
    """φ(r): the influence of a control point at the distance r, with the names and signs of SciPy.

    Example:
        >>> import torch, stnkit
        >>> kernel = stnkit.families.RadialKernel.cubic
        >>> kernel.values(torch.tensor([0.0, 4.0])), kernel.degree  # of squared distances
        (tensor([0., 8.]), 1)
    """

    thin_plate_spline = enum.auto()  # r² log r
    linear = enum.auto()  # −r
    cubic = enum.auto()  # r³
    quintic = enum.auto()  # −r⁵
    gaussian = enum.auto()  # exp(−r²)
    multiquadric = enum.auto()  # −√(1 + r²)
    inverse_multiquadric = enum.auto()  # 1/√(1 + r²)
    inverse_quadratic = enum.auto()  # 1/(1 + r²)

    @classmethod
    def parse(cls, kernel: "RadialKernel | str") -> "RadialKernel":
        """The kernel of that name.

        Raises:
            InputError: when there is none.
        """
        check_choice("kernel", kernel, cls)
        return cls(kernel)

    @property
    def degree(self) -> int:
        """The degree of the polynomials beside the kernels: the smallest that the kernel allows, and at least 1."""
        return 2 if self is RadialKernel.quintic else 1

    @property
    def has_scale(self) -> bool:
        """True if the spline changes with the unit of distance."""
        return self in (
            RadialKernel.gaussian,
            RadialKernel.multiquadric,
            RadialKernel.inverse_multiquadric,
            RadialKernel.inverse_quadratic,
        )

    def values(self, squared: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
        """φ at squared distances, twice differentiable; a derivative that does not exist at 0 is 0.

        Args:
            squared: r², at least 0.
        """
        return _FUNCTIONS[self](squared)


@final
class RadialBasis:
    """φ(ε‖p − c_k‖) for each center c_k, then the monomials 1, x, y (, z), of degree 2 also x², xy, ….

    Args:
        centers: c, not all on one line (plane).
        kernel: φ.
        epsilon: ε, above 0.

    Raises:
        InputError: when the centers determine no polynomial of the kernel's degree.

    Example:
        >>> import torch, stnkit
        >>> centers = stnkit.families.control_positions([2, 2], 2)
        >>> basis = stnkit.families.RadialBasis(centers, stnkit.families.RadialKernel.linear)
        >>> basis(torch.tensor([[1.0, -1.0]]))
        tensor([[-2.0000,  0.0000, -2.8284, -2.0000,  1.0000,  1.0000, -1.0000]])

    Source: Wendland, Scattered Data Approximation, 2004, chapters 6 to 8.
    """

    def __init__(self, centers: Float[Tensor, "K ndim"], kernel: RadialKernel, epsilon: float = 1.0) -> None:
        self.centers = centers
        self.kernel = kernel
        self.epsilon = epsilon
        ndim = centers.shape[1]
        # The factors of the monomials of degree 2: x, x; x, y; ….
        self._factors = list(itertools.combinations_with_replacement(range(ndim), 2)) if kernel.degree == 2 else []
        self.n_monomials = 1 + ndim + len(self._factors)
        if np.linalg.matrix_rank(self._monomials(centers).numpy(), tol=COINCIDENT) < self.n_monomials:
            raise InputError(
                f"control_points: expected for the kernel {kernel} at least {self.n_monomials} positions that do not "
                f"all lie on one {'conic' if ndim == 2 else 'quadric'}, got {len(centers)}"
            )

    def __call__(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N functions"]:
        """The functions at points.

        Args:
            points: p, in float64.
        """
        return torch.cat([self._kernels(points), self._monomials(points)], dim=1)

    def cardinal_weights(self, regularization: Float[Tensor, "K"]) -> Float[Tensor, "functions K"]:
        """The weights of the functions in the splines that are 1 at one center and 0 at the others, one a column.

        Args:
            regularization: λ of each center, added to the diagonal of the matrix of kernels; the spline misses its
                values where λ > 0.

        Raises:
            InputError: when the centers are too close, or ε is too small, for float64 to solve for the weights.
        """
        n_points, n_functions = len(self.centers), len(self.centers) + self.n_monomials
        polynomials = self._monomials(self.centers).numpy()
        system = np.zeros((n_functions, n_functions))
        system[:n_points, :n_points] = self._kernels(self.centers).numpy() + np.diag(regularization.numpy())
        system[:n_points, n_points:] = polynomials
        system[n_points:, :n_points] = polynomials.T
        unit = np.eye(n_functions, n_points)
        try:
            weights = np.linalg.solve(system, unit)
        except np.linalg.LinAlgError:  # singular
            weights = np.full_like(unit, np.nan)
        # The first rows are the values at the control points.
        if not np.abs(system @ weights - unit).max() <= UNSOLVED:
            scale = f"an epsilon above {self.epsilon:.3g}, or " if self.kernel.has_scale else ""
            raise InputError(
                f"control_points: expected {scale}control points farther apart, for a spline of the kernel "
                f"{self.kernel} that meets them to {UNSOLVED:g}, got {n_points} positions"
            )
        return torch.from_numpy(weights)

    def reflections(self) -> tuple[Reflection, ...]:
        """The symmetries of the functions; none if the centers are not symmetric."""
        from scipy.spatial import KDTree  # slow to import, and only needed where a spline is made

        n_points, ndim = self.centers.shape
        monomials = np.arange(n_points, n_points + self.n_monomials)
        reflections = []
        for coordinate in range(ndim):
            mirror = np.ones(ndim)
            mirror[coordinate] = -1.0
            distance, order = KDTree(self.centers.numpy()).query(self.centers.numpy() * mirror)
            if np.max(distance) > COINCIDENT:
                return ()
            signs = torch.ones(n_points + self.n_monomials, dtype=torch.float64)
            signs[n_points + 1 + coordinate] = -1.0
            for k, factors in enumerate(self._factors):
                signs[n_points + 1 + ndim + k] = (-1.0) ** factors.count(coordinate)
            reflections.append(Reflection(torch.from_numpy(np.concatenate([order, monomials])), signs))
        return tuple(reflections)

    def _monomials(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N monomials"]:
        products = [points[:, i : i + 1] * points[:, j : j + 1] for i, j in self._factors]
        return torch.cat([torch.ones_like(points[:, :1]), points, *products], dim=1)

    def _kernels(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N K"]:
        # Distances from differences: expanded into a product of matrices they lose half of the digits.
        centers = self.centers.to(points)
        differences = [p[:, None] - c for p, c in zip(points.unbind(dim=1), centers.unbind(dim=1), strict=True)]
        squared = differences[0].square()
        for difference in differences[1:]:
            squared = torch.addcmul(squared, difference, difference)
        return self.kernel.values(squared * self.epsilon**2 if self.kernel.has_scale else squared)


def _thin_plate_spline(squared: Tensor) -> Tensor:
    return 0.5 * squared * _apart(squared)[1].log()


def _linear(squared: Tensor) -> Tensor:
    apart, safe = _apart(squared)
    return torch.where(apart, -safe.sqrt(), 0.0)


def _cubic(squared: Tensor) -> Tensor:
    apart, safe = _apart(squared)
    return torch.where(apart, safe * safe.sqrt(), 0.0)


def _quintic(squared: Tensor) -> Tensor:
    apart, safe = _apart(squared)
    return torch.where(apart, -safe.square() * safe.sqrt(), 0.0)


def _apart(squared: Tensor) -> tuple[Tensor, Tensor]:
    # At a control point the logarithm and the root have no derivative, while that of the kernel is 0, or defined as
    # 0. Mask the argument, so that no infinity enters the first or the second backward pass. Where rounding alone keeps
    # a pixel center off the control point, the second derivative would be 1 / rounding: 1e16.
    apart = squared > (SAME_PLACE * torch.finfo(squared.dtype).eps) ** 2
    return apart, torch.where(apart, squared, 1.0)


_FUNCTIONS: dict[RadialKernel, Callable[[Tensor], Tensor]] = {
    RadialKernel.thin_plate_spline: _thin_plate_spline,
    RadialKernel.linear: _linear,
    RadialKernel.cubic: _cubic,
    RadialKernel.quintic: _quintic,
    RadialKernel.gaussian: lambda squared: torch.exp(-squared),
    RadialKernel.multiquadric: lambda squared: -(1 + squared).sqrt(),
    RadialKernel.inverse_multiquadric: lambda squared: (1 + squared).rsqrt(),
    RadialKernel.inverse_quadratic: lambda squared: 1 / (1 + squared),
}
