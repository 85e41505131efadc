"""No distortion."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class NoDistortion(stnkit.Distortion):
    """The images unchanged; θ is the affine identity.

    Args:
        image_shape: (C, *size) of the images; the program supplies it.

    Example:
        >>> import torch, stnkit
        >>> stnkit.build("distortion", "none", image_shape=(1, 28, 28)).sample(1, torch.Generator())
        tensor([[1., 0., 0., 0., 1., 0.]])
    """

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        self.family = stnkit.build("transform", "affine", ndim=len(image_shape) - 1)
        self.out_size = tuple(image_shape[1:])

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        return self.family.identity().float().repeat(n, 1)

    def apply(
        self,
        images: Float[Tensor, "B C *in_size"],
        theta: Float[Tensor, "B P"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B C *out_size"]:
        return images


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("none", NoDistortion)
