"""Similarities: rotation, isotropic scale and translation."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Similarity(stnkit.families.MatrixFamily):
    """T_θ(p) = e^s S⁻¹ R S p + t with R = [cos α, −sin α; sin α, cos α] and S = diag(aspect, 1).

    θ is [α, s, tx, ty]: the angle in radians, the log-scale, which acts between −40 and 40, and the
    translation in normalized units. The identity is 0. As y points down, T_θ turns the sampling points
    clockwise for a positive angle, and the image is seen to turn counter-clockwise; a positive s makes it
    appear smaller. `compose` gives angles from −π to π.

    S takes normalized units to units that are as long in x as in y: with an aspect of 1 that is so in a
    square image, and in any other one the pixels would be sheared. With the aspect of the images angles are
    kept in pixels. Input and output are taken to have the same aspect.

    Args:
        aspect: width / height of the images in pixels, 0.001 to 1000; by default that of `in_shape`, else 1.
        in_shape: (C, H, W) of the images; in a network the program supplies it.

    Raises:
        InputError: when `aspect` is not between 0.001 and 1000.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "similarity")
        >>> family(torch.tensor([[0.0, 0.0, 0.5, 0.25]]), torch.zeros(1, 1, 2))
        tensor([[[0.5000, 0.2500]]])
    """

    affine = True
    n_params = 4

    def __init__(self, aspect: float | None = None, in_shape: tuple[int, ...] | None = None) -> None:
        super().__init__()
        if aspect is None and in_shape is not None:
            aspect = stnkit.coordinates.aspect_of(in_shape)
            self.options_from_images = {"aspect": aspect}
        self.aspect = stnkit.coordinates.check_aspect(1.0 if aspect is None else aspect)

    def identity(self) -> Float[Tensor, " P"]:
        return torch.zeros(4, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        angle, log_scale, tx, ty = theta.unbind(dim=-1)
        scale = stnkit.families.bounded_exp(log_scale)
        cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
        return torch.stack([cos, sin / -self.aspect, tx, sin * self.aspect, cos, ty], dim=-1).view(-1, 2, 3)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        cos, sin = matrix[:, 0, 0], matrix[:, 1, 0] / self.aspect
        turn = torch.stack([torch.atan2(sin, cos), torch.hypot(cos, sin).log()], dim=-1)
        return torch.cat([turn, matrix[:, :2, 2]], dim=-1)

    def extra_repr(self) -> str:
        return f"aspect={self.aspect}"


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("similarity", Similarity)
