"""MatrixFamily: T_θ is a homogeneous matrix."""

import abc
from typing import Any, ClassVar, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stnkit import coordinates
from stnkit.contract import TRUTH, Requirement
from stnkit.coordinates import OUTSIDE
from stnkit.errors import DoesNotComposeError, InputError
from stnkit.families.axis_sums import axis_sum, bounded_rows
from stnkit.families.family import TransformFamily
from stnkit.families.grid_marks import bounded
from stnkit.families.membership import check_matrix, refusal, reproduced, tolerance_of, with_unit_last_entry
from stnkit.families.perspective_divide import HORIZON, LARGE, divide, known_in_front, plain_quotient
from stnkit.families.tracing import read_mask
from stnkit.portable import coordinates_last, is_exported

# A matrix whose inverse has larger entries counts as singular: their squares, as in a gradient, are finite in
# float32.
STEEPEST = 1e18


class MatrixFamily(TransformFamily):
    """T_θ(p) = (M p̃)[:ndim] / (M p̃)[ndim] with p̃ = (p, 1): grid, inverse and compose come for free.

    A subclass sets `affine`, implements `identity` and `rows`, and the hook `_from_matrix` if it is closed under
    composition. Points on or behind the horizon (w ≤ 0) have their source outside of every image, so the sign of M
    counts; its scale is such that the identity has w = 1. A row of a grid with an entry above 10⁴ / (ndim + 1) lies
    outside too, as a whole: a zoom out by thousands, which leaves less than a pixel.

    Attributes:
        affine: True if the last row of every matrix is 0 … 0 1, so that nothing is divided.

    Example:
        >>> import torch, stnkit
        >>> class Mirror(stnkit.families.MatrixFamily):
        ...     affine, n_params = True, 1
        ...     def identity(self):
        ...         return torch.ones(1, dtype=torch.float64)
        ...     def rows(self, theta):
        ...         zero, one = torch.zeros_like(theta), torch.ones_like(theta)
        ...         return torch.cat([theta, zero, zero, zero, one, zero], dim=1).view(-1, 2, 3)
        >>> Mirror().inverse(torch.tensor([[-1.0]]), torch.tensor([[[0.5, 0.25]]]))
        tensor([[[-0.5000,  0.2500]]])
    """

    abstract_attributes: ClassVar[dict[str, Requirement]] = {"affine": TRUTH}
    renamed_methods: ClassVar[dict[str, str]] = {
        "matrix": "rows, without the last row where that is 0 … 0 1",
        "from_matrix": "_from_matrix",
    }

    affine: ClassVar[bool]

    # True if the grid is that of the rows and of nothing else, as where no final method is overridden.
    _grid_follows_rows: ClassVar[bool] = True

    # Plugin API 1: True if `matrix` is overridden nearer than `rows`, so that the rows follow from it.
    _rows_follow_matrix: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        nearest = next(base for base in cls.__mro__ if {"matrix", "rows"} & vars(base).keys())
        cls._rows_follow_matrix = "rows" not in vars(nearest) or vars(nearest)["rows"] is _rows_of_matrix
        if cls._rows_follow_matrix and getattr(cls.rows, "__isabstractmethod__", False):
            type.__setattr__(cls, "rows", _rows_of_matrix)
        cls._grid_follows_rows = all(getattr(cls, name) is vars(base)[name] for name, base in _MAKING_GRIDS.items())
        if "from_matrix" in vars(cls) and "_from_matrix" not in vars(cls):  # of API 1: `compose` calls the hook
            type.__setattr__(cls, "_from_matrix", vars(cls)["from_matrix"])

    @abc.abstractmethod
    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        """The rows of M: all ndim + 1, or for an affine family the first ndim, without the last row 0 … 0 1.

        Called with a θ of float32 or float64, autocast off. The rows may be a view of θ, and are not changed in place.

        Args:
            theta: one row of parameters for each element of the batch.
        """

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        """Optional hook: the θ of a matrix of this family, for families that are closed under composition.

        Of another matrix any θ, which `from_matrix` refuses. Called in float32 or wider, autocast off.

        Args:
            matrix: homogeneous, with the last entry 1 for an affine family; a projective one accepts any scale.
        """
        raise DoesNotComposeError(
            f"{type(self).__name__} does not compose: the product of two of its matrices is not one of them"
        )

    @final
    def from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        """The θ of a homogeneous matrix, for families that are closed under composition.

        A factor has no influence: 2·I is the identity. A negative one puts every point of the output behind the
        horizon, and is left out as well; but a matrix with the center of the output behind the horizon and other
        points of it in front has no θ where a family puts the center in front.

        Args:
            matrix: of a map of this family. Its entries may be off by 10⁻⁴ of the largest: linear part, translation
                and last row each by itself. Where values cannot be read, as under vmap and torch.compile, θ is NaN for
                a matrix of no map of this family.

        Raises:
            DoesNotComposeError: when the family is not closed.
            InputError: when the matrix has the wrong shape, is not real, or is that of no map of this family.

        Example:
            >>> import torch, stnkit
            >>> stnkit.build("transform", "translation").from_matrix(2 * torch.eye(3)[None])
            tensor([[0., 0.]])
        """
        name, given = type(self).__name__, matrix
        matrix = check_matrix(name, given, self.ndim)
        tolerance = tolerance_of(given.dtype)
        with coordinates.full_precision(matrix):
            scaled = with_unit_last_entry(matrix) if self.affine else matrix
            theta = self._from_matrix(scaled)
            nearest = self.matrix(theta.detach().double())
        member = reproduced(scaled.detach().double(), nearest, self.affine, tolerance) & theta.isfinite().all(dim=1)
        members = read_mask(member)
        if members is None:
            return torch.where(member[:, None], theta, torch.nan)
        if not all(members):
            index = members.index(False)
            raise refusal(name, matrix[index], nearest[index], index, tolerance)
        return theta

    @final
    def matrix(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows rows"]:
        """The homogeneous matrix M of T_θ, with ndim + 1 rows.

        Args:
            theta: one row of parameters for each element of the batch.

        Raises:
            InputError: when θ has the wrong shape or is not real.
        """
        theta = self.check_theta(theta)
        with coordinates.full_precision(theta):
            rows = self._of_right_shape(self.rows(theta))
            return coordinates.with_last_row(rows) if self.affine else rows

    @final  # type: ignore[misc]  # torch declares it an attribute
    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """(M p̃)[:ndim] / (M p̃)[ndim]: the source points of target points."""
        # A no-op as `__call__` calls it; an author of API 1 may hand on wider points.
        rows = self._rows(theta.to(points.dtype))
        # Planar, (B, rows, N), one column at a time: 20 times faster than a sum over a short last axis.
        image = rows[:, :, -1:]
        for column in range(self.ndim):
            image = image + rows[:, :, column, None] * points[:, None, :, column]
        if not self.affine:
            # A clamp and not `finite`: NaN points stay NaN outside of a grid.
            image = divide(image[:, :-1].clamp(-LARGE, LARGE), image[:, -1:])
        return image.transpose(1, 2)

    @final
    @bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """T_θ on the pixel centers of an output of `size`, as a sum of one term for each axis.

        No lattice is made: M p̃ = M[:, 0]·x + (M[:, 1]·y + M[:, 2]), and the two terms are as long as one axis each,
        so that the only pass over all pixels is their sum.
        A row with an entry that is NaN or beyond `OUTSIDE` / (ndim + 1), a zoom by thousands, is outside everywhere.
        """
        return grid_of_rows(self._rows(theta), size)

    @final
    def _inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """(M⁻¹ q̃)[:ndim] / (M⁻¹ q̃)[ndim]; NaN where M is singular or q comes from behind the horizon."""
        inverse, regular = _inverse_matrix(self.matrix(theta.double()))
        # Mask invalid points before the division, or their NaN gradients leak into every other point.
        known: Bool[Tensor, "#B N 1"] = points.isfinite().all(dim=-1, keepdim=True)
        target = _product(inverse, torch.where(known, points, 0.0).double())
        # w of the inverse is 1 / w of the map, wherever M has its scale.
        w = target[..., -1:]
        solved: Bool[Tensor, "B N 1"] = regular & known & (w > HORIZON**2) & (w < 1 / HORIZON)
        found = (target[..., :-1] / torch.where(solved, w, 1.0)).to(points.dtype)
        return torch.where(solved, found, torch.nan)

    @final
    def _compose(self, outer: Float[Tensor, "B P"], inner: Float[Tensor, "B P"]) -> Float[Tensor, "B P"]:
        """The θ of M_outer · M_inner; NaN where none has the same side of its horizon in front."""
        # In float64, which also keeps TF32 out of a product of coordinates.
        first, second = self.matrix(outer.double()), self.matrix(inner.double())
        # In plain sums where it is exported: tract does not take the product of a matrix that got its last row.
        product = (first[..., None] * second[:, None]).sum(dim=2) if is_exported() else first @ second
        # Not `from_matrix`: a θ that saturates, such as a log-scale, is no mistake here.
        theta = self._from_matrix(product)
        if not self.affine:
            # `_from_matrix` accepts any scale: one of the opposite sign would exchange front and back.
            agreement = (self.matrix(theta) * product).sum(dim=(1, 2))
            theta = torch.where(agreement[:, None] > 0, theta, torch.nan)
        return theta

    @final
    def _matrix_form(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows rows"]:
        """M."""
        return self.matrix(theta)

    def _rows(self, theta: Tensor) -> Tensor:
        return self._of_right_shape(_rows_of_matrix(self, theta) if self._rows_follow_matrix else self.rows(theta))

    def _of_right_shape(self, rows: Tensor) -> Tensor:
        expected = (self.ndim if self.affine else self.ndim + 1, self.ndim + 1)
        if rows.shape[1:] != expected:
            last = "without the last row, as `affine` is True" if self.affine else "as `affine` is False"
            raise InputError(
                f"{type(self).__name__}.rows: expected shape (B, {expected[0]}, {expected[1]}), {last}, "
                f"got {tuple(rows.shape)}"
            )
        return rows


def grid_of_rows(rows: Float[Tensor, "B rows columns"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
    """The grid of homogeneous matrices, bounded and finite.

    Args:
        rows: of M: ndim of them where the last is 0 … 0 1, else all.
        size: of the output, (H, W) or (D, H, W).
    """
    if rows.shape[1] < rows.shape[2]:
        return coordinates_last(axis_sum(bounded_rows(rows, OUTSIDE, beyond=OUTSIDE), size))
    numerator, w = rows[:, :-1], rows[:, -1:]
    in_front = known_in_front(rows)
    if not in_front:
        # Beyond the bound w is behind the horizon.
        numerator, w = bounded_rows(numerator, LARGE, beyond=LARGE), bounded_rows(w, LARGE, beyond=-LARGE)
    numerator, w = (axis_sum(summand, size, planar_gradient=True) for summand in (numerator, w))
    return coordinates_last(plain_quotient(numerator, w) if in_front else divide(numerator, w))


def _rows_of_matrix(family: MatrixFamily, theta: Tensor) -> Tensor:
    matrix = family.matrix(theta)
    return matrix[:, :-1] if family.affine else matrix


def _product(matrix: Float[Tensor, "B rows rows"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N rows"]:
    """M p̃, in plain sums: a matrix product may be rounded to TF32."""
    return matrix[:, None, :, -1] + (matrix[:, None, :, :-1] * points[:, :, None, :]).sum(dim=-1)


def _inverse_matrix(
    matrix: Float[Tensor, "B rows rows"],
) -> tuple[Float[Tensor, "B rows rows"], Bool[Tensor, "B 1 1"]]:
    """M⁻¹ and a mask of the matrices that have one; for the others the identity without a gradient."""
    inverse, failed = torch.linalg.inv_ex(matrix.detach())
    regular = (failed == 0)[:, None, None] & (inverse.abs() < STEEPEST).all(dim=(1, 2), keepdim=True)
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    return torch.linalg.inv_ex(torch.where(regular, matrix, eye)).inverse, regular


# The final methods that make a grid of rows. Plugin API 1 allowed to override them.
_MAKING_GRIDS: dict[str, type] = {
    "grid": TransformFamily,
    "check_theta": TransformFamily,
    "_grid": MatrixFamily,
    "_rows": MatrixFamily,
    "_of_right_shape": MatrixFamily,
}
