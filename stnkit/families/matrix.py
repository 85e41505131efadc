"""MatrixFamily: T_θ is a homogeneous matrix."""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates
from stnkit.coordinates import OUTSIDE
from stnkit.errors import DoesNotComposeError
from stnkit.families.axis_sums import bounded, separable_sum
from stnkit.families.family import TransformFamily
from stnkit.families.perspective_divide import HORIZON, LARGE, divide, known_in_front, plain_quotient

# A matrix whose inverse has larger entries counts as singular: their squares, as in a gradient, are finite in
# float32.
STEEPEST = 1e18


class MatrixFamily(TransformFamily):
    """T_θ(p) = (M p̃)[:ndim] / (M p̃)[ndim] with p̃ = (p, 1): grid, inverse and compose come for free.

    A subclass implements `identity` and `matrix`, and `from_matrix` if it is closed under composition.
    Points on or behind the horizon (w ≤ 0) have their source outside of every image, so the sign of M
    counts; its scale is such that the identity has w = 1.

    Attributes:
        affine: whether the last row of every matrix is 0 … 0 1, so that nothing is divided.
    """

    affine: ClassVar[bool]

    _rows_are_those_of_matrix: ClassVar[bool]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # A class that overrides `matrix` alone may inherit the rows of another one.
        nearest = next(base for base in cls.__mro__ if {"matrix", "rows"} & vars(base).keys())
        cls._rows_are_those_of_matrix = "rows" in vars(nearest)

    @abc.abstractmethod
    def matrix(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows rows"]:
        """The homogeneous matrix M of T_θ, with ndim + 1 rows.

        Called with a θ of float32 or float64, autocast off.

        Args:
            theta: one row of parameters for each element of the batch.
        """

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        """The rows of M that depend on θ: all, or without the last where it is 0 … 0 1.

        They are what a grid is made of. A family that has them before M may override it, and gets around the rest. They
        may be a part of θ, and are not to be changed in place.

        Args:
            theta: one row of parameters for each element of the batch.
        """
        matrix = self.matrix(theta)
        return matrix[:, :-1] if self.affine else matrix

    def from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        """The θ of a matrix of this family, for families that are closed under composition.

        Args:
            matrix: homogeneous; what a projective family gets may have any scale.

        Raises:
            DoesNotComposeError: when the family is not closed.
        """
        raise DoesNotComposeError(
            f"{type(self).__name__} does not compose: the product of two of its matrices is not one of them"
        )

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """(M p̃)[:ndim] / (M p̃)[ndim]: the source points of target points."""
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        with coordinates.full_precision(theta):
            rows = self._rows(theta.to(points.dtype))
        # Planar, (B, rows, N), one column at a time: 20 times faster than a sum over a short last axis.
        image = rows[:, :, -1:]
        for column in range(self.ndim):
            image = image + rows[:, :, column, None] * points[:, None, :, column]
        if not self.affine:
            # A clamp and not `finite`: what is NaN stays NaN where it is not a grid.
            image = divide(image[:, :-1].clamp(-LARGE, LARGE), image[:, -1:])
        return image.transpose(1, 2)

    @final
    def grid(self, theta: Float[Tensor, "B P"], size: Sequence[int]) -> Float[Tensor, "B *size ndim"]:
        """T_θ on the pixel centers of an output of `size`, as a sum of one term for each axis.

        No lattice is made: M p̃ = M[:, 0]·x + (M[:, 1]·y + M[:, 2]), and the two terms are as long as one axis each,
        so that the only pass over all pixels is their sum.
        A row with an entry that is NaN or beyond `OUTSIDE` / (ndim + 1), a zoom by thousands, is outside everywhere.
        """
        theta = self.check_theta(theta)
        size = coordinates.check_size(size, self.ndim)
        with coordinates.full_precision(theta):
            rows = self._rows(theta)
            if self.affine:
                planes = separable_sum(bounded(rows, OUTSIDE, beyond=OUTSIDE), size)
            else:
                numerator, w = rows[:, :-1], rows[:, -1:]
                in_front = known_in_front(rows)
                if not in_front:
                    # Beyond the bound w is behind the horizon.
                    numerator, w = bounded(numerator, LARGE, beyond=LARGE), bounded(w, LARGE, beyond=-LARGE)
                numerator, w = (separable_sum(part, size, planar_gradient=True) for part in (numerator, w))
                planes = plain_quotient(numerator, w) if in_front else divide(numerator, w)
        return planes.movedim(1, -1)

    @final
    def inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """(M⁻¹ q̃)[:ndim] / (M⁻¹ q̃)[ndim]; NaN where M is singular or q comes from behind the horizon."""
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        with coordinates.full_precision(theta):
            inverse, regular = _inverse(self.matrix(theta.double()))
        # What will be NaN is exchanged before it is used, or its gradient would spoil that of all the rest.
        known: Bool[Tensor, "#B N 1"] = points.isfinite().all(dim=-1, keepdim=True)
        target = _product(inverse, torch.where(known, points, 0.0).double())
        # w of the inverse is 1 / w of the map, wherever M has its scale.
        w = target[..., -1:]
        solved: Bool[Tensor, "B N 1"] = regular & known & (w > HORIZON**2) & (w < 1 / HORIZON)
        found = (target[..., :-1] / torch.where(solved, w, 1.0)).to(points.dtype)
        return torch.where(solved & found.isfinite(), found, torch.nan)

    @final
    def compose(self, outer: Float[Tensor, "B P"], inner: Float[Tensor, "B P"]) -> Float[Tensor, "B P"]:
        """The θ of M_outer · M_inner; NaN where none has the same side of its horizon in front."""
        outer, inner = self.check_theta(outer), self.check_theta(inner)
        dtype = torch.promote_types(outer.dtype, inner.dtype)
        with coordinates.full_precision(outer):
            # In float64, which also keeps TF32 out of a product of coordinates.
            product = self.matrix(outer.double()) @ self.matrix(inner.double())
            theta = self.from_matrix(product)
            if not self.affine:
                # `from_matrix` takes any scale: one of the opposite sign would exchange front and back.
                agreement = (self.matrix(theta) * product).sum(dim=(1, 2))
                theta = torch.where(agreement[:, None] > 0, theta, torch.nan)
        return theta.to(dtype)

    def _rows(self, theta: Tensor) -> Tensor:
        return self.rows(theta) if self._rows_are_those_of_matrix else MatrixFamily.rows(self, theta)


def _product(matrix: Float[Tensor, "B rows rows"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N rows"]:
    """M p̃, in plain sums: a matrix product may be rounded to TF32."""
    return matrix[:, None, :, -1] + (matrix[:, None, :, :-1] * points[:, :, None, :]).sum(dim=-1)


def _inverse(
    matrix: Float[Tensor, "B rows rows"],
) -> tuple[Float[Tensor, "B rows rows"], Bool[Tensor, "B 1 1"]]:
    """M⁻¹ and whether there is one; where there is none, the identity without a gradient."""
    inverse, failed = torch.linalg.inv_ex(matrix.detach())
    regular = (failed == 0)[:, None, None] & (inverse.abs() < STEEPEST).all(dim=(1, 2), keepdim=True)
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return torch.linalg.inv_ex(torch.where(regular, matrix, eye)).inverse, regular
