"""LinearFamily: T_θ is linear in θ, so a grid is one product with a basis."""

import abc
from typing import final

from jaxtyping import Float, Int64
from torch import Tensor

from stnkit.errors import InputError
from stnkit.families.caching import TensorCache
from stnkit.families.correspondences import linear_least_squares
from stnkit.families.correspondences.local import LocalFunctions
from stnkit.families.family import TransformFamily
from stnkit.families.grid_marks import bounded
from stnkit.families.lattice_basis import LatticeBasis, sum_dtype
from stnkit.families.mirrored import Reflection
from stnkit.families.scattered_basis import local_product, scattered_product
from stnkit.families.thresholds import BASIS_CACHE_BYTES
from stnkit.portable import coordinates_last


class LinearFamily(TransformFamily):
    """T_θ(p) = coefficients(θ) · basis(p), with basis functions that do not depend on θ.

    A subclass implements `identity` and `basis`, and the hook `coefficients` where θ is not itself the coefficients.
    θ is planar: all x coefficients, then all y.

    Attributes:
        wide: form sums over the basis functions in float64, because their terms are much larger than the sums. None
            is for more than 100 functions.
        reflections: the symmetry of the basis across each coordinate, x first. A grid for few images then reads the
            basis on one corner of the lattice. Empty where there is no symmetry; not used by a family with weights.
        has_constant: T_θ and the coefficients have a part that θ does not change, such as that of pinned control
            points: they are affine in θ.

    Example:
        >>> import torch, stnkit
        >>> class Bilinear(stnkit.families.LinearFamily):
        ...     n_params = 8
        ...     def identity(self):
        ...         return torch.tensor([0, 1, 0, 0, 0, 0, 1, 0], dtype=torch.float64)
        ...     def basis(self, points):
        ...         x, y = points.split(1, dim=-1)
        ...         return torch.cat([torch.ones_like(x), x, y, x * y], dim=-1)
        >>> family = Bilinear()
        >>> family.grid(family.identity()[None], (1, 2)).tolist()
        [[[[-0.5, 0.0], [0.5, 0.0]]]]
    """

    wide: bool | None = None
    reflections: tuple[Reflection, ...] = ()
    has_constant: bool = False

    def __init__(self) -> None:
        super().__init__()
        self._lattice_basis = LatticeBasis()
        # Of the derivatives of the basis and the mean products of these, which do not depend on θ either.
        self._derivatives: TensorCache[Tensor] = TensorCache(BASIS_CACHE_BYTES)

    @abc.abstractmethod
    def basis(self, points: Float[Tensor, "N ndim"]) -> Float[Tensor, "N K"]:
        """The K basis functions at N points: in pure torch, differentiable at every point.

        Called with float64 points. It depends on them alone and is cached for each size of an output; of a family with
        parameters or buffers it may depend on these too, and is evaluated for every grid.

        Args:
            points: normalized target points.
        """

    def coefficients(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B ndim K"]:
        """Optional hook: the coefficients of the basis functions, linear in θ; by default θ as `(B, ndim, K)`.

        An override is called with a float64 θ. The coefficients may have a constant part if the functions take it
        back, so that T_θ is linear all the same; where they do not, the family says `has_constant`. A map whose
        constant part is no sum of the functions is a TransformFamily.

        Args:
            theta: one row of parameters for each element of the batch.
        """
        return theta.view(theta.shape[0], self.ndim, self.n_params // self.ndim)

    def local_basis(self, points: Float[Tensor, "N ndim"]) -> tuple[Int64[Tensor, "N S"], Float[Tensor, "N S"]] | None:
        """Optional hook: the indices and values of the S functions that are not 0 at each of N points.

        For functions of local support: `forward` then reads S coefficients for each point and not all K. By default
        None, for functions that are not 0 anywhere.

        Args:
            points: as `basis` gets them; where both are implemented, they are the same functions.
        """
        return None

    @final  # type: ignore[misc]  # torch declares it an attribute
    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """coefficients(θ) · basis(p): the source points of target points."""
        # A no-op as `__call__` calls it; an author of API 1 may hand on wider points.
        coefficients = self._checked_coefficients(theta.to(points.dtype))
        batch, n_points = points.shape[:2]
        local = self.local_basis(points.reshape(-1, self.ndim).double())
        if local is None:
            source = scattered_product(self.basis, coefficients, points)
        else:
            indices, values = (tensor.view(batch, n_points, tensor.shape[-1]) for tensor in local)
            source = local_product(coefficients, indices, values)
        return source.to(points.dtype)

    @bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """Optional hook: by default the planar product of the coefficients with the basis.

        The basis is cached where the family has no weights.
        """
        return self.planar_grid(theta, size)

    @final
    def planar_grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """The planar product: coefficients (B·ndim, K) @ basisᵀ (K, H·W), permuted without a copy.

        Args:
            theta: as `_grid` gets it.
            size: of the output.
        """
        coefficients = self._checked_coefficients(theta)
        planes = self._lattice_basis.product(self.basis, coefficients, size, theta.dtype, self.reflections)
        return coordinates_last(planes)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Optional hook: by default linear least squares, in closed form."""
        functions = None if self._coefficients_are_solved() else self._local_functions(target)
        return linear_least_squares(self, self.identity().to(target), target, source, weights, functions)

    def _local_functions(self, target: Float[Tensor, "B N ndim"]) -> LocalFunctions | None:
        """`local_basis` of points of several elements, or None where there is none."""
        if self.local_basis(target[:1, 0]) is None:
            return None

        def functions(points: Tensor) -> tuple[Tensor, Tensor]:
            local = self.local_basis(points.reshape(-1, self.ndim))
            assert local is not None
            indices, values = (tensor.view(*points.shape[:2], -1) for tensor in local)
            return indices, values

        return functions

    def _coefficients_are_solved(self) -> bool:
        """False where θ is the coefficients."""
        return type(self).coefficients is not LinearFamily.coefficients

    def _checked_coefficients(self, theta: Tensor) -> Tensor:
        """The coefficients, in the dtype in which sums over the functions are formed."""
        # Solved in float64: in float32 the identity of 32 × 32 points is off by 1e-2. The default, θ, is not solved.
        coefficients = self.coefficients(theta.double() if self._coefficients_are_solved() else theta)
        if coefficients.ndim != 3 or coefficients.shape[1] != self.ndim:
            raise InputError(
                f"{type(self).__name__}.coefficients: expected shape (B, {self.ndim}, K) for K basis functions, "
                f"got {tuple(coefficients.shape)}"
            )
        dtype = sum_dtype(coefficients.shape[-1], theta.dtype, self.wide)
        return coefficients if coefficients.dtype == dtype else coefficients.to(dtype)
