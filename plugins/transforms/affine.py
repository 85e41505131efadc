"""Affine maps."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Affine(stnkit.families.MatrixFamily):
    """T_θ(p) = A p + t, all maps that keep lines parallel.

    θ is the ndim × (ndim + 1) matrix [A t], row by row: in two dimensions [a, b, c, d, e, f] with
    x' = a·x + b·y + c and y' = d·x + e·y + f, in normalized units. The identity is [1, 0, 0, 0, 1, 0].

    Args:
        ndim: number of dimensions, 2 (6 parameters) or 3 (12 parameters).

    Raises:
        InputError: when `ndim` is neither 2 nor 3.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "affine")
        >>> family(torch.tensor([[1.0, 0, 0.5, 0, 1, 0]]), torch.zeros(1, 1, 2))
        tensor([[[0.5000, 0.0000]]])

    Source: Jaderberg et al. 2015, equation 1.
    """

    affine = True

    def __init__(self, ndim: int = 2) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        self.n_params = ndim * (ndim + 1)

    def identity(self) -> Float[Tensor, "P"]:
        return torch.eye(self.ndim, self.ndim + 1, dtype=torch.float64).flatten()

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        return theta.view(-1, self.ndim, self.ndim + 1)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        return matrix[:, :-1].flatten(start_dim=1)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Linear least squares."""
        return stnkit.families.linear_least_squares(self, self.identity().to(target), target, source, weights)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("affine", Affine)
