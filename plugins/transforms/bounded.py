"""A family whose θ stays within a box around the identity."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# Smaller limits are 0 in float32 beside an entry of 1.
SMALLEST = 1e-6
# Larger ones are no bound: quotients by them lose their digits in float32, or the limit itself is infinite there.
LARGEST = 1e18


class Bounded(stnkit.TransformFamily):
    """T_θ = inner T_φ with φ = θ₀ + limit·tanh((θ − θ₀) / limit), entry by entry: φ stays within θ₀ ± limit.

    θ₀ is the inner identity and that of this family too. There φ = θ with slope 1, so that training starts as without
    the bound; θ has the inner meaning as long as it is far from the limit, and any θ, also an infinite one, is a map of
    the box. Where θ − θ₀ is several times the limit, the gradient of an entry vanishes. An entry with an infinite limit
    has no bound.

    The inverse is that of the inner family, and so is the lattice of θ. Around a chart it is a chart. Maps do not
    compose, since a product may leave the box.

    Args:
        inner: the family, a name or a mapping `{name: ..., option: ...}`.
        limit: largest change of an entry of φ, a number of at least 1e-6 or one for each entry, in the units of θ; inf
            for none, as is any limit above 1e18. At 1 an affine map has no mirrored axis, and shifts by at most half
            of the image.
        in_shape: (C, *size) of the images, for the inner family; in a network the program supplies it.

    Raises:
        InputError: when the inner family cannot be built, or `limit` is out of its range or of another length.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "bounded", inner="translation", limit=0.5)
        >>> family(torch.tensor([[0.001, torch.inf]]), torch.zeros(1, 1, 2))
        tensor([[[0.0010, 0.5000]]])
    """

    @stnkit.coordinates.built_on_cpu
    def __init__(
        self,
        inner: str | dict[str, Any] = "affine",
        limit: float | list[float] = 1.0,
        in_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        images = {} if in_shape is None else {"in_shape": in_shape}
        self.inner: stnkit.TransformFamily = stnkit.build("transform", inner, **images)
        self.ndim, self.n_params = self.inner.ndim, self.inner.n_params
        self.is_chart = self.inner.is_chart
        self.lattice_shape, self.lattice_extent = self.inner.lattice_shape, self.inner.lattice_extent
        self.limit = limit
        limits = _checked(limit, self.n_params)
        bounded = [entry <= LARGEST for entry in limits]
        self._bounded, self._has_unbounded = torch.tensor(bounded, dtype=torch.bool), not all(bounded)
        self._limits = torch.tensor([entry if entry <= LARGEST else 1.0 for entry in limits], dtype=torch.float64)

    def identity(self) -> Float[Tensor, "P"]:
        return self.inner.identity()

    def inner_theta(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B P"]:
        """The φ of the inner family.

        Args:
            theta: one row of parameters for each element of the batch.
        """
        identity, limits = self.inner.identity().to(theta), self._limits.to(theta)
        change = theta - identity
        squashed = limits * torch.tanh(change / limits)
        if not self._has_unbounded:
            return identity + squashed
        return identity + torch.where(self._bounded.to(theta.device), squashed, change)

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        mapped: Tensor = self.inner(self.inner_theta(theta), points)
        return mapped

    @stnkit.families.bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """The grid of the inner family."""
        return self.inner.grid(self.inner_theta(theta), size)

    def _inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """The inverse of the inner family."""
        return self.inner.inverse(self.inner_theta(theta), points)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """That of the inner family, and where it leaves the box Gauss–Newton steps from the identity."""
        identity, limits = self.inner.identity().to(target), self._limits.to(target)
        change = self.inner.fit(target, source, weights) - identity
        free = ~self._bounded.to(target.device)
        share = torch.where(free, 0.0, change / limits)
        within = (share.abs() < 1).all(dim=1)
        if not bool(within.all()):
            start = identity.expand(len(target), -1)
            try:
                return stnkit.families.gauss_newton(self, start, target, source, weights)
            except stnkit.errors.InputError as error:  # steps to the wall of the box end where no entry has influence
                index = within.tolist().index(False)
                raise stnkit.errors.InputError(
                    f"expected points with a nearest map within the limit, got others at index {index} of the batch"
                ) from error
        return identity + torch.where(free, change, limits * torch.atanh(share))

    def _matrix_form(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows rows"] | None:
        """That of the inner family."""
        return stnkit.families.matrix_form(self.inner, self.inner_theta(theta))

    def extra_repr(self) -> str:
        return f"limit={self.limit}"


def _checked(limit: float | list[float], n_params: int) -> list[float]:
    limits = list(limit) if isinstance(limit, list | tuple) else [limit] * n_params
    if len(limits) != n_params or not all(entry >= SMALLEST for entry in limits):
        raise stnkit.errors.InputError(
            f"limit: expected a number of at least {SMALLEST:g}, or {n_params} of them, got {limit}"
        )
    return [float(entry) if entry <= LARGEST else math.inf for entry in limits]


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("bounded", Bounded)
