"""Scalings about the center of the image."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Scale(stnkit.families.MatrixFamily):
    """T_θ(p) = diag(e^θ) p: a positive θ makes the image appear smaller.

    θ is the log-scale: [s] for all axes, or [sx, sy] or [sx, sy, sz], one for each. It acts between −40 and
    40, and `compose` may give one beyond, which acts as that. The identity is 0.

    Args:
        isotropic: one scale for all axes (1 parameter) instead of one for each (`ndim` parameters).
        ndim: number of dimensions, 2 or 3.

    Raises:
        InputError: when `ndim` is neither 2 nor 3.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "scale")
        >>> family(torch.tensor([[0.0]]), torch.ones(1, 1, 2))
        tensor([[[1., 1.]]])
    """

    affine = True

    def __init__(self, isotropic: bool = True, ndim: int = 2) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        self.isotropic = isotropic
        self.n_params = 1 if isotropic else ndim

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        scales = stnkit.families.bounded_exp(theta)
        return scales[..., None] * torch.eye(self.ndim, self.ndim + 1, dtype=theta.dtype, device=theta.device)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        return matrix.diagonal(dim1=-2, dim2=-1)[:, : self.n_params].log()

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Linear least squares in the scales themselves."""
        start = torch.ones_like(self.identity()).to(target)
        return stnkit.families.log_scales(stnkit.families.linear_least_squares(_scaled, start, target, source, weights))

    def extra_repr(self) -> str:
        return f"isotropic={self.isotropic}"


def _scaled(scales: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
    return scales[:, None] * points


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("scale", Scale)
