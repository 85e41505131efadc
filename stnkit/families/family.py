"""TransformFamily: any differentiable map from output points to input points."""

import abc
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.contract import DIMENSIONS, MAPPING, TRUTH, WHOLE_NUMBER, Contract, Requirement
from stnkit.errors import DoesNotComposeError, InputError
from stnkit.families.arguments import checked_points, checked_theta
from stnkit.families.correspondences import gauss_newton
from stnkit.families.correspondences.arguments import check_correspondences
from stnkit.families.newton import invert
from stnkit.families.results import check_result
from stnkit.families.tracing import note_bounded


class TransformFamily(nn.Module, Contract):
    """T_θ: target point ↦ source point, for every θ of a family of maps.

    A subclass sets `n_params` (and `ndim`, if it is not 2) and implements `identity` and `forward`. It may implement
    the hooks `_grid` (a faster form of the grid), `_inverse` and `_fit` (closed forms) and `_compose`.
    A family none of whose maps is the identity, such as polar coordinates, is a chart and says so by `is_chart`.
    Points are normalized, x before y (before z); [-1, 1] spans the outer edges of the image.

    Attributes:
        ndim: number of coordinates of a point, 2 or 3.
        n_params: P, the number of entries of θ.
        is_chart: True for a chart, whose output has other coordinates than the image: `identity` is then its neutral
            θ, and T_θ of it a map of its own. On the class, or set by the constructor of a family around another.
        options_from_images: the options that the constructor has taken from `in_shape`, (C, *size), which a family may
            take as a parameter with a default: the program supplies it, and tells the user what was taken.
        lattice_shape: for a θ that holds one vector for each point of a regular lattice, planar (all x, then all y,
            each in the order of an image's pixels): the numbers of points, (rows, columns) or (slices, rows, columns).
            A localizer may then give θ as a map. None for any other θ.
        lattice_extent: for each axis of that lattice the coordinate of its last point; the first one is its negative.
            None for 1, the edges of the image.

    Example:
        >>> import torch, stnkit
        >>> class Shift(stnkit.TransformFamily):
        ...     n_params = 2
        ...     def identity(self):
        ...         return torch.zeros(2, dtype=torch.float64)
        ...     def forward(self, theta, points):
        ...         return points + theta[:, None]
        >>> Shift().grid(torch.tensor([[1.0, 0.0]]), (1, 2))
        tensor([[[[0.5000, 0.0000],
                  [1.5000, 0.0000]]]])
    """

    abstract_attributes: ClassVar[dict[str, Requirement]] = {
        "ndim": DIMENSIONS, "options_from_images": MAPPING, "n_params": WHOLE_NUMBER, "is_chart": TRUTH
    }  # fmt: skip
    renamed_methods: ClassVar[dict[str, str]] = {name: f"_{name}" for name in ("grid", "inverse", "compose", "fit")}

    ndim: int = 2
    n_params: int
    is_chart: bool = False
    options_from_images: Mapping[str, Any] = MappingProxyType({})
    lattice_shape: tuple[int, ...] | None = None
    lattice_extent: tuple[float, ...] | None = None

    @abc.abstractmethod
    def identity(self) -> Float[Tensor, "P"]:
        """The θ for which T_θ is the identity, in float64; of a chart its neutral θ, at which training starts."""

    @abc.abstractmethod
    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """T_θ(p): the source points of target points.

        Called with θ and points of one dtype, float32 or float64, their shapes checked, autocast off.

        Args:
            theta: one row of parameters for each element of the batch.
            points: normalized target points, for each element or (batch of 1) the same for all.
        """

    @final  # type: ignore[misc]  # torch declares it an attribute
    def __call__(self, theta: Tensor, points: Tensor) -> Tensor:
        """T_θ(p), by the author's `forward`, in the wider dtype of θ and points and at least float32.

        Arguments are checked before forward pre-hooks run.

        Raises:
            InputError: when θ, the points or what the author's `forward` gives have the wrong shape or are not real.
        """
        if isinstance(theta, torch.fx.Proxy):  # a tracer with families as leaves: nothing to check yet
            return super().__call__(theta, points)
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        with coordinates.full_precision(theta):
            source: Tensor = super().__call__(theta if theta.dtype == points.dtype else theta.to(points.dtype), points)
        check_result(self, "forward", source, (theta.shape[0], *points.shape[1:]))
        return source

    @final
    def grid(self, theta: Float[Tensor, "B P"], size: Sequence[int]) -> Float[Tensor, "B *size ndim"]:
        """T_θ on the pixel centers of an output of `size`: finite for every θ, in float32 or wider.

        Args:
            theta: one row of parameters for each element of the batch.
            size: of the output, (H, W) or (D, H, W).

        Raises:
            InputError: when θ has the wrong width, the size is not `ndim` positive whole numbers, or the author's
                `forward` or `_grid` returns another shape.
        """
        theta = self.check_theta(theta)
        size = coordinates.check_size(size, self.ndim)
        with coordinates.full_precision(theta):
            grid = self._grid(theta, size)
        check_result(self, "_grid", grid, (theta.shape[0], *size, self.ndim))
        return note_bounded(grid if getattr(self._grid, "is_bounded", False) else coordinates.finite(grid))

    @final
    def inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """The p with T_θ(p) = q: the target points of source points, NaN where there is none.

        Where the map folds, one of several p is returned.

        Args:
            theta: one row of parameters for each element of the batch.
            points: q, normalized source points, for each element or (batch of 1) the same for all.

        Raises:
            InputError: when θ or the points have the wrong shape or are not real.
        """
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        with coordinates.full_precision(theta):
            found = self._inverse(theta.to(points.dtype), points)
        check_result(self, "_inverse", found, (theta.shape[0], *points.shape[1:]))
        return torch.where(found.isfinite().all(dim=-1, keepdim=True), found, torch.nan).to(points.dtype)

    @final
    def compose(self, outer: Float[Tensor, "#B P"], inner: Float[Tensor, "#B P"]) -> Float[Tensor, "B P"]:
        """The θ of T_outer ∘ T_inner, for families closed under it but for bounds of θ; NaN where there is none.

        Args:
            outer: one row of parameters for each element of the batch, or (batch of 1) the same for all.
            inner: likewise.

        Raises:
            DoesNotComposeError: when the family is not closed.
            InputError: when one of them has the wrong shape or is not real, or their batch sizes differ.
        """
        outer, inner = self.check_theta(outer), self.check_theta(inner)
        if outer.shape[0] != inner.shape[0]:
            if 1 not in (outer.shape[0], inner.shape[0]):
                sizes = f"{outer.shape[0]} and {inner.shape[0]}"
                raise InputError(f"{type(self).__name__}: expected one batch size for outer and inner, got {sizes}")
            batch = outer.shape[0] * inner.shape[0]  # one of them is 1
            outer, inner = outer.expand(batch, -1), inner.expand(batch, -1)
        dtype = torch.promote_types(outer.dtype, inner.dtype)
        with coordinates.full_precision(outer):
            composed = self._compose(outer.to(dtype), inner.to(dtype))
        check_result(self, "_compose", composed, tuple(outer.shape))
        return composed.to(dtype)

    @final
    def fit(
        self,
        target_points: Float[Tensor, "#B N ndim"],
        source_points: Float[Tensor, "#B N ndim"],
        weights: Float[Tensor, "#B N"] | None = None,
    ) -> Float[Tensor, "B P"]:
        """The θ of least Σ w ‖T_θ(p) − q‖²: the map that takes target points to source points, as well as one can.

        Computed in float64, and differentiable in points and weights. Where several θ are the same map on the image,
        such as angles 2π apart, it is one of them.

        Args:
            target_points: p, normalized, for each element or (batch of 1) the same for all.
            source_points: q, likewise. One at `coordinates.OUTSIDE` or beyond has no source, and is left out.
            weights: w, at least 0; None for 1. A point of weight 0 is left out, and may be NaN.

        Returns:
            In the wider dtype of the points, and at least float32.

        Raises:
            InputError: when the points or weights have the wrong shape or values, the points do not determine the map
                on the image, or no map of the family is nearest to them.
        """
        try:
            target, source, given, dtype = check_correspondences(target_points, source_points, weights, self.ndim)
            if not self.n_params or not len(target):
                return target.new_zeros(len(target), self.n_params, dtype=dtype)
            with coordinates.full_precision(target):
                theta = self._fit(target, source, given)
        except InputError as error:
            raise InputError(f"{type(self).__name__}.fit: {error}") from error
        check_result(self, "_fit", theta, (len(target), self.n_params))
        return theta.to(dtype)

    @final
    def jacobian_determinant(
        self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"] | Sequence[int]
    ) -> Float[Tensor, "B *points"]:
        """`stnkit.jacobian_determinant` of this family: the area (volume) that T_θ gives to a unit of area.

        Args:
            theta: one row of parameters for each element of the batch.
            points: target points, for each element or (batch of 1) the same for all; or a size, for its pixel centers.

        Raises:
            InputError: when θ, the points or the size do not fit the family.
        """
        from stnkit.families.regularity import jacobian_determinant  # it imports this module

        return jacobian_determinant(self, theta, points)

    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """Optional hook: T_θ on the pixel centers of an output of `size`; by default `forward` on the lattice.

        Called with a checked θ and size, autocast off. It must equal `forward`, which the conformance kit holds.

        Args:
            theta: one row of parameters for each element of the batch, in float32 or float64.
            size: of the output, (H, W) or (D, H, W).
        """
        target = coordinates.lattice(size, dtype=theta.dtype, device=theta.device).view(1, -1, self.ndim)
        return self(theta, target).view(theta.shape[0], *size, self.ndim)

    def _inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """Optional hook: the inverse; by default damped Newton steps on `forward`, in float64.

        Differentiable in θ and q by the implicit function theorem. Called with checked arguments, autocast off.

        Args:
            theta: one row of parameters for each element of the batch.
            points: q, source points.
        """
        return invert(self, theta, points)

    def _bending_energy(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B"] | None:
        """Optional hook: `stnkit.bending_energy`; by default None, for the second derivatives of `forward`.

        Args:
            theta: one row of parameters for each element of the batch, in float64.
            size: of the output whose pixel centers are taken.
        """
        return None

    def _matrix_form(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows rows"] | None:
        """Optional hook: `stnkit.families.matrix_form`; by default None.

        Args:
            theta: one row of parameters for each element of the batch, in float64.
        """
        return None

    def _compose(self, outer: Float[Tensor, "B P"], inner: Float[Tensor, "B P"]) -> Float[Tensor, "B P"]:
        """Optional hook: the θ of T_outer ∘ T_inner; by default an error.

        Args:
            outer: checked, in the dtype of `inner`.
            inner: likewise.
        """
        raise DoesNotComposeError(
            f"{type(self).__name__} does not compose: the composition of two of its maps is not one of them"
        )

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Optional hook: the fit; by default `stnkit.families.gauss_newton` from the identity.

        Called with finite points in float64, of at least one element, autocast off. The map is differentiated twice.

        Args:
            target: p.
            source: q.
            weights: of the squared errors, at least 0.
        """
        identity = self.identity().to(target).expand(len(target), -1)
        return gauss_newton(self, identity, target, source, weights)

    @final
    def check_theta(self, theta: Tensor) -> Float[Tensor, "B P"]:
        """θ in float32 or wider.

        Raises:
            InputError: when its shape is not (B, n_params) or it is not real.
        """
        return checked_theta(type(self).__name__, theta, self.n_params)

    @final
    def check_points(self, points: Tensor, theta: Tensor) -> Float[Tensor, "#B N ndim"]:
        """Points in the dtype of θ, or their own if it is wider.

        Raises:
            InputError: when their shape is not (B or 1, N, ndim) or they are not real.
        """
        return checked_points(type(self).__name__, points, theta, self.ndim)
