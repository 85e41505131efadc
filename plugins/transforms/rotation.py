"""Rotations about the center of the image."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Rotation(stnkit.families.MatrixFamily):
    """T_θ(p) = S⁻¹ R S p with R = [cos θ, −sin θ; sin θ, cos θ] and S = diag(aspect, 1).

    θ is [angle], in radians; the identity is 0. As y points down, T_θ turns the sampling points clockwise
    for a positive angle, and the image is seen to turn counter-clockwise. `compose` gives angles from −π
    to π.

    S takes normalized units to units that are as long in x as in y: with an aspect of 1 that is so in a
    square image, and in any other one the pixels would be sheared. With the aspect of the images rotations
    are rigid in pixels. Input and output are taken to have the same aspect.

    Args:
        aspect: width / height of the images in pixels, 0.001 to 1000; by default that of `in_shape`, else 1.
        in_shape: (C, H, W) of the images; in a network the program supplies it.

    Raises:
        InputError: when `aspect` is not between 0.001 and 1000.

    Example:
        >>> import torch, stnkit
        >>> family = stnkit.build("transform", "rotation")
        >>> family.compose(torch.tensor([[0.5]]), torch.tensor([[0.25]]))
        tensor([[0.7500]])
    """

    affine = True
    n_params = 1

    def __init__(self, aspect: float | None = None, in_shape: tuple[int, ...] | None = None) -> None:
        super().__init__()
        if aspect is None and in_shape is not None:
            aspect = stnkit.coordinates.aspect_of(in_shape)
            self.options_from_images = {"aspect": aspect}
        self.aspect = stnkit.coordinates.check_aspect(1.0 if aspect is None else aspect)

    def identity(self) -> Float[Tensor, " P"]:
        return torch.zeros(1, dtype=torch.float64)

    def rows(self, theta: Float[Tensor, "B P"]) -> Float[Tensor, "B rows columns"]:
        cos, sin = torch.cos(theta), torch.sin(theta)
        zero = torch.zeros_like(theta)
        entries = [cos, sin / -self.aspect, zero, sin * self.aspect, cos, zero]
        return torch.cat(entries, dim=-1).view(-1, 2, 3)

    def _from_matrix(self, matrix: Float[Tensor, "B rows rows"]) -> Float[Tensor, "B P"]:
        return torch.atan2(matrix[:, 1, 0] / self.aspect, matrix[:, 0, 0])[:, None]

    def extra_repr(self) -> str:
        return f"aspect={self.aspect}"


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("rotation", Rotation)
