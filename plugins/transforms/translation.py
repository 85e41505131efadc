"""Translations."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Translation(stnkit.families.MatrixFamily):
    """T_θ(p) = p + t: the image moves by −t.

    θ is t: [tx, ty] or [tx, ty, tz], in normalized units, so that 2 is the whole width, height or depth of
    the input. The identity is 0.

    Args:
        ndim: number of dimensions, 2 (2 parameters) or 3 (3 parameters).

    Raises:
        InputError: when `ndim` is neither 2 nor 3.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "translation")
        >>> family.inverse(torch.tensor([[0.5, 0.0]]), torch.zeros(1, 1, 2))
        tensor([[[-0.5000,  0.0000]]])
    """

    affine = True

    def __init__(self, ndim: int = 2) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        self.n_params = ndim

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.ndim, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        linear = torch.eye(self.ndim, dtype=theta.dtype, device=theta.device)
        return torch.cat([linear.expand(theta.shape[0], -1, -1), theta[..., None]], dim=-1)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        return matrix[:, :-1, -1]

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Linear least squares."""
        return stnkit.families.linear_least_squares(self, self.identity().to(target), target, source, weights)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("translation", Translation)
