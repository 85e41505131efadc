"""Projective maps by the entries of their matrix."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Projective(stnkit.families.MatrixFamily):
    """T_θ(p) = (a·x + b·y + c, d·x + e·y + f) / (g·x + h·y + 1): all maps that keep lines straight.

    θ is [a, b, c, d, e, f, g, h], the 3 × 3 matrix row by row without its last entry, which is 1, in
    normalized units. The identity is [1, 0, 0, 0, 1, 0, 0, 0]. The center of the output is always in front
    of the horizon g·x + h·y + 1 = 0; points on it or behind it have their source outside of the image. A
    composition that would put the center there has no θ, and is NaN.

    Example:
        >>> import stnkit
        >>> family = stnkit.build("transform", "projective")
        >>> family.matrix(family.identity()[None])[0].tolist()
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]

    Source: Jaderberg et al. 2015, section 3.2.
    """

    affine = False
    n_params = 8

    def identity(self) -> Float[Tensor, "P"]:
        return torch.eye(3, dtype=torch.float64).flatten()[:-1]

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        return torch.cat([theta, torch.ones_like(theta[:, :1])], dim=-1).view(-1, 3, 3)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        entries = matrix.flatten(start_dim=1)
        last = entries[:, 8:]
        exists = last != 0
        # Mask zeros before the division, or their NaN gradients leak into the results that are used.
        return torch.where(exists, entries[:, :8] / torch.where(exists, last, 1.0), torch.nan)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """The direct linear transform, then Gauss–Newton steps on the distances of the points."""
        start = self._from_matrix(stnkit.families.direct_linear_transform(target, source, weights))
        return stnkit.families.gauss_newton(self, start, target, source, weights)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("projective", Projective)
