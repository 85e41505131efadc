"""Isotropic scale and translation: attention to a part of the image."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Attention(stnkit.families.MatrixFamily):
    """T_θ(p) = e^s p + t: the output shows the part of the input of half-size e^s about t.

    θ is [s, tx, ty]: the log-scale, which acts between −40 and 40, and the center of the region shown, in
    normalized units. The paper's s is e^s here, so that no θ mirrors the image. The identity is 0.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "attention")
        >>> family(torch.tensor([[0.0, 0.5, 0.25]]), torch.zeros(1, 1, 2))
        tensor([[[0.5000, 0.2500]]])

    Source: Jaderberg et al. 2015, equation 2.
    """

    affine = True
    n_params = 3

    def identity(self) -> Float[Tensor, " P"]:
        return torch.zeros(3, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        scale = stnkit.families.bounded_exp(theta[:, :1])
        linear = scale[..., None] * torch.eye(2, dtype=theta.dtype, device=theta.device)
        return torch.cat([linear, theta[:, 1:, None]], dim=-1)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        return torch.cat([matrix[:, 0, :1].log(), matrix[:, :2, 2]], dim=-1)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("attention", Attention)
