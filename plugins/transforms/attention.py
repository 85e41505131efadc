"""Scale and translation: attention to a box in the image."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Attention(stnkit.families.MatrixFamily):
    """T_θ(p) = diag(e^s) p + t: the output shows the part of the input of half-sizes e^s about t.

    θ is [s, tx, ty]: the log-scale, which acts between −40 and 40, and the center of the region shown, in
    normalized units. The paper's s is e^s here, so that no θ mirrors the image. With `isotropic=false` θ is
    [sx, sy, tx, ty], and the region any box: crop and resize. The identity is 0.

    Args:
        isotropic: one scale for all axes, so that a region has the shape of the image, instead of one for each.
        ndim: number of dimensions, 2 or 3; θ then ends with tz, and has sz where each axis has a scale.

    Raises:
        InputError: when `ndim` is neither 2 nor 3.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "attention")
        >>> family(torch.tensor([[0.0, 0.5, 0.25]]), torch.zeros(1, 1, 2))
        tensor([[[0.5000, 0.2500]]])

    Source: Jaderberg et al. 2015, equation 2.
    """

    affine = True

    def __init__(self, isotropic: bool = True, ndim: int = 2) -> None:
        super().__init__()
        self.ndim = stnkit.coordinates.check_ndim(ndim)
        self.isotropic = isotropic
        self.n_params = 1 + ndim if isotropic else 2 * ndim

    def identity(self) -> Float[Tensor, "P"]:
        return torch.zeros(self.n_params, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        scales = stnkit.families.bounded_exp(theta[:, : -self.ndim])
        linear = scales[..., None] * torch.eye(self.ndim, dtype=theta.dtype, device=theta.device)
        return torch.cat([linear, theta[:, -self.ndim :, None]], dim=-1)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        scales = matrix.diagonal(dim1=-2, dim2=-1)[:, : self.n_params - self.ndim]
        return torch.cat([scales.log(), matrix[:, :-1, -1]], dim=-1)

    def _fit(
        self, target: Float[Tensor, "B N ndim"], source: Float[Tensor, "B N ndim"], weights: Float[Tensor, "B N"]
    ) -> Float[Tensor, "B P"]:
        """Linear least squares in the scales themselves."""
        start = torch.cat([torch.ones(self.n_params - self.ndim), torch.zeros(self.ndim)]).to(target)
        found = stnkit.families.linear_least_squares(self._scaled, start, target, source, weights)
        scales, shift = found[:, : -self.ndim], found[:, -self.ndim :]
        return torch.cat([stnkit.families.log_scales(scales), shift], dim=1)

    def extra_repr(self) -> str:
        return f"isotropic={self.isotropic}"

    def _scaled(self, entries: Float[Tensor, "B P"], points: Float[Tensor, "#B N ndim"]) -> Float[Tensor, "B N ndim"]:
        """diag(s) p + t, linear in [s, t]."""
        return entries[:, None, : -self.ndim] * points + entries[:, None, -self.ndim :]


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("attention", Attention)
