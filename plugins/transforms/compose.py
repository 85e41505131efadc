"""Several families in a row, with a single sampling of the image."""

import contextlib
from collections.abc import Iterable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

import stnkit
from stnkit import coordinates


class Compose(stnkit.TransformFamily):
    """T_θ = T_1 ∘ T_2 ∘ … ∘ T_n: warping by T_θ is warping by stage 1, then by stage 2, and so on.

    The stages are listed in the order in which they act on the image: `[affine, tps]` straightens it first
    and refines it then. Maps go from output to input, so that a target point passes the stages from last to
    first, T_θ(p) = T_affine(T_tps(p)); the image itself is sampled only once.

    θ is the concatenation of the stages' θ in the order listed, and so is the identity. A point that a stage sends
    outside of every image stays there. The inverse is that of the stages, in reverse. With a chart among the stages
    it is a chart.

    Args:
        stages: the families, each a name or a mapping `{name: ..., option: ...}`; null is affine, then tps.
        in_shape: (C, *size) of the images, for the stages; in a network the program supplies it.

    Raises:
        InputError: when there is no stage, a stage cannot be built, or their numbers of dimensions differ.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "compose", stages=["affine", "tps"])
        >>> family.n_params
        38

    Source: Lin and Lucey 2017, Inverse compositional spatial transformer networks: compose the warps and
    not the images.
    """

    def __init__(
        self, stages: list[str | dict[str, Any]] | None = None, in_shape: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        chosen = ["affine", "tps"] if stages is None else list(stages)
        if not chosen:
            raise stnkit.errors.InputError("stages: expected at least one transform, got none")
        images = {} if in_shape is None else {"in_shape": in_shape}
        self.stages = nn.ModuleList(stnkit.build("transform", stage, **images) for stage in chosen)
        dimensions = [family.ndim for family in self._families()]
        if len(set(dimensions)) > 1:
            raise stnkit.errors.InputError(f"stages: expected one number of dimensions for all, got {dimensions}")
        self.ndim = dimensions[0]
        self.n_params = sum(family.n_params for family in self._families())
        self.is_chart = any(family.is_chart for family in self._families())

    def identity(self) -> Float[Tensor, "P"]:
        return torch.cat([family.identity() for family in self._families()])

    def forward(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """T_1(T_2(… T_n(p)))."""
        return self._outer_stages(theta, self._families()[-1](self._split(theta)[-1], points))

    @stnkit.families.bounded
    def _grid(self, theta: Float[Tensor, "B P"], size: tuple[int, ...]) -> Float[Tensor, "B *size ndim"]:
        """T_θ on the pixel centers of an output of `size`: the last stage's grid, mapped by the others."""
        source = self._families()[-1].grid(self._split(theta)[-1], size).flatten(1, -2)
        return self._outer_stages(theta, source).view(theta.shape[0], *size, self.ndim)

    def _inverse(self, theta: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """T_n⁻¹(… T_2⁻¹(T_1⁻¹(q))); NaN where a stage has no solution."""
        for family, part in zip(self._families(), self._split(theta), strict=True):
            # An iterating stage gets solvable points, also in place of unsolved ones.
            unsolved = points.isnan().any(dim=-1, keepdim=True)
            found = family.inverse(part, torch.where(unsolved, 0.0, points))
            points = torch.where(unsolved, torch.nan, found)
        return points

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Gauss–Newton steps from the better of two starts: the identity, and stages fitted one after the other."""
        start = self.identity().to(target).expand(len(target), -1)
        if not self.is_chart:
            fitted = self._fitted_in_turn(target.detach(), source.detach(), weights.detach())
            better = self._error(fitted, target, source, weights) < self._error(start, target, source, weights)
            start = torch.where(better[:, None], fitted, start)
        return stnkit.families.gauss_newton(self, start, target, source, weights)

    def _matrix_form(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows rows"] | None:
        """The product of the stages' matrices, where no stage but the first has a point of [-1, 1] lost."""
        parts = zip(self._families(), self._split(theta), strict=True)
        matrices = [stnkit.families.matrix_form(family, part) for family, part in parts]
        product = matrices[-1]
        corners = coordinates.corners(self.ndim, device=theta.device)[None]
        for matrix in matrices[-2::-1]:
            if matrix is None or product is None:
                return None
            # The image of [-1, 1] is the convex hull of those of its corners, where all of these are in front.
            image, w = corners @ product[:, :-1, :-1].mT + product[:, None, :-1, -1], _depth(product, corners)
            if not bool(((w > 0) & (image.abs() < coordinates.NEAR * w)).all()):
                return None
            product = matrix @ product
        return product

    def _outer_stages(
        self, theta: Float[Tensor, "B P"], source: Float[Tensor, "B N ndim"]
    ) -> Float[Tensor, "B N ndim"]:
        for family, part in zip(self._families()[-2::-1], self._split(theta)[-2::-1], strict=True):
            source = stnkit.families.onward(family, part, source)
        return coordinates.finite(source)

    def _fitted_in_turn(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Each stage fitted to the points that the stages before it leave, those after it being the identity."""
        found = []
        for family in self._families():
            theta = family.identity().to(target).expand(len(target), -1)
            with contextlib.suppress(stnkit.errors.InputError):  # too few points for a stage that the others help
                theta = family.fit(target, source, weights)
            found.append(theta)
            source = family.inverse(theta, source)
            lost = source.isnan().any(dim=2)
            source, weights = torch.where(lost[..., None], 0.0, source), torch.where(lost, 0.0, weights)
        return torch.cat(found, dim=1)

    def _error(
        self,
        theta: Float[Tensor, "B P"],
        target: Float[Tensor, "B N ndim"],
        source: Float[Tensor, "B N ndim"],
        weights: Float[Tensor, "B N"],
    ) -> Float[Tensor, "B"]:
        with torch.no_grad():
            return (weights[..., None] * (self(theta, target) - source).square()).sum(dim=(1, 2))

    def _families(self) -> list[stnkit.TransformFamily]:
        return [cast(stnkit.TransformFamily, stage) for stage in self.stages]

    def _split(self, theta: Float[Tensor, "B P"]) -> tuple[Tensor, ...]:
        return stnkit.families.split_theta(theta, [family.n_params for family in self._families()])


def _depth(matrix: Float[Tensor, "B rows rows"], points: Float[Tensor, "1 N ndim"]) -> Float[Tensor, "B N 1"]:
    """The w of points, 1 for an affine matrix."""
    return points @ matrix[:, -1:, :-1].mT + matrix[:, None, -1:, -1]


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("compose", Compose)
