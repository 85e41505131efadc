"""TransformFamily: any differentiable map from output points to input points."""

import abc
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.errors import DoesNotComposeError, InputError
from stnkit.families.newton import invert


class TransformFamily(nn.Module, abc.ABC):
    """T_θ: target point ↦ source point, for every θ of a family of maps.

    A subclass sets `n_params` (and `ndim`, if it is not 2) and implements `identity` and `forward`.
    Points are normalized, x before y (before z); [-1, 1] spans the outer edges of the image.

    Attributes:
        ndim: number of coordinates of a point, 2 or 3.
        n_params: P, the number of entries of θ.
    """

    ndim: int = 2
    n_params: int

    @abc.abstractmethod
    def identity(self) -> Float[Tensor, "P"]:
        """The θ for which T_θ is the identity, in float64."""

    @abc.abstractmethod
    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """T_θ(p): the source points of target points.

        Args:
            theta: one row of parameters for each element of the batch.
            points: normalized target points, for each element or (batch of 1) the same for all.
        """

    def grid(self, theta: Float[Tensor, "B P"], size: Sequence[int]) -> Float[Tensor, "B *size ndim"]:
        """T_θ on the pixel centers of an output of `size`: finite for every θ, in float32 or wider.

        Args:
            theta: one row of parameters for each element of the batch.
            size: of the output, (H, W) or (D, H, W).

        Raises:
            InputError: when θ has the wrong width or the size is not `ndim` positive whole numbers, or `forward` gives
                something else than a point for each point.
        """
        theta = self.check_theta(theta)
        size = coordinates.check_size(size, self.ndim)
        target = coordinates.lattice(size, dtype=theta.dtype, device=theta.device).view(1, -1, self.ndim)
        with coordinates.full_precision(theta):
            source = self(theta, target)
        if source.ndim != 3 or source.shape[1:] != target.shape[1:]:
            raise InputError(
                f"{type(self).__name__}.forward must give points of shape {(len(theta), *target.shape[1:])}, "
                f"but some of shape {tuple(source.shape)} were given"
            )
        return coordinates.finite(source).view(theta.shape[0], *size, self.ndim)

    def inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """P with T_θ(p) = q: the target points of source points, NaN where there is none.

        By Newton's method on `forward`, in float64; differentiable in θ and q by the implicit function
        theorem. A family with a closed form overrides it. Where the map folds, one of several p is returned.

        Args:
            theta: one row of parameters for each element of the batch.
            points: normalized source points, for each element or (batch of 1) the same for all.
        """
        theta = self.check_theta(theta)
        points = self.check_points(points, theta)
        return invert(self, theta, points)

    def compose(self, outer: Float[Tensor, "B P"], inner: Float[Tensor, "B P"]) -> Float[Tensor, "B P"]:
        """The θ of T_outer ∘ T_inner, for families that are closed under composition.

        Raises:
            DoesNotComposeError: when the family is not.
        """
        raise DoesNotComposeError(
            f"{type(self).__name__} does not compose: the composition of two of its maps is not one of them"
        )

    def check_theta(self, theta: Tensor) -> Float[Tensor, "B P"]:
        """θ in float32 or wider.

        Raises:
            InputError: when its shape is not (B, n_params) or it is not real.
        """
        if theta.ndim != 2 or theta.shape[1] != self.n_params:
            raise InputError(
                f"{type(self).__name__} takes a theta of shape (B, {self.n_params}), "
                f"but one of shape {tuple(theta.shape)} was given"
            )
        if not theta.is_floating_point():
            raise InputError(f"{type(self).__name__} takes a theta of floating point, but {theta.dtype} was given")
        return coordinates.widened(theta)

    def check_points(self, points: Tensor, theta: Tensor) -> Float[Tensor, "#B N ndim"]:
        """Points in the dtype of θ, or their own if it is wider.

        Raises:
            InputError: when their shape is not (B or 1, N, ndim).
        """
        if points.ndim != 3 or points.shape[-1] != self.ndim or points.shape[0] not in (1, theta.shape[0]):
            raise InputError(
                f"{type(self).__name__} takes points of shape ({theta.shape[0]} or 1, N, {self.ndim}), "
                f"but some of shape {tuple(points.shape)} were given"
            )
        return points.to(torch.promote_types(points.dtype, theta.dtype))
