"""Shears about the center of the image."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Shear(stnkit.families.MatrixFamily):
    """T_θ(x, y) = (x + sx·y, y + sy·x): the axes are tilted, and keep their scale.

    θ is [sx, sy]; in volumes the entries of the matrix beside the diagonal, row by row: [sxy, sxz, syx, syz, szx, szy]
    with x' = x + sxy·y + sxz·z. They are in normalized units: sx shifts each row by sx·width / height pixels more than
    the one above it. The identity is 0. Where sx·sy = 1 the image collapses to a line.

    The product of two shears has another diagonal: the family does not compose.

    Args:
        ndim: number of dimensions, 2 (2 parameters) or 3 (6 parameters).

    Raises:
        InputError: when `ndim` is neither 2 nor 3.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "shear")
        >>> family(torch.tensor([[0.5, 0.0]]), torch.tensor([[[0.0, 1.0]]]))
        tensor([[[0.5000, 1.0000]]])
    """

    affine = True

    def __init__(self, ndim: int = 2) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        self.n_params = ndim * (ndim - 1)

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        n = self.ndim
        # Row by row, a matrix is a 1 before each n entries beside the diagonal, and a last 1.
        beside = theta.view(-1, n - 1, n)
        linear = torch.cat([torch.ones_like(beside[..., :1]), beside], dim=-1).flatten(start_dim=1)
        linear = torch.cat([linear, torch.ones_like(linear[:, :1])], dim=-1).view(-1, n, n)
        return torch.cat([linear, torch.zeros_like(linear[..., :1])], dim=-1)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Linear least squares."""
        return stnkit.families.linear_least_squares(self, self.identity().to(target), target, source, weights)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("shear", Shear)
