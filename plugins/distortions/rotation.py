"""Random rotations."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit


class Rotation(stnkit.distortions.WarpDistortion):
    """The paper's R: a rotation by U(−90°, 90°) about the center.

    Args:
        image_shape: (C, H, W) of the images; the program supplies it.
        degrees: half the range, 0 to 180.
        padding: value outside of the image: zeros, border (the nearest pixel), or a color, a number from 0 to 1 or a
            list of one for each channel.

    Raises:
        InputError: when an option is out of its range, or images are not of two dimensions.

    Example:
        >>> import torch, stnkit
        >>> rotation = stnkit.build("distortion", "rotation", image_shape=(1, 28, 28), degrees=30.0)
        >>> rotation.sample(3, torch.Generator().manual_seed(0)).shape
        torch.Size([3, 6])

    Source: Jaderberg et al. 2015, section 4.1.
    """

    def __init__(
        self, image_shape: tuple[int, ...], degrees: float = 90.0, padding: str | float | list[float] = "zeros"
    ) -> None:
        if not 0 <= degrees <= 180:
            raise stnkit.errors.InputError(f"degrees: expected a number between 0 and 180, got {degrees}")
        size = stnkit.distortions.planar_size(image_shape)
        sampler = stnkit.build("sampler", "bilinear", **stnkit.distortions.sampler_padding(padding, image_shape))
        super().__init__(stnkit.build("transform", "affine"), sampler, size)
        self.degrees = degrees

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        degrees = stnkit.distortions.uniform(n, -self.degrees, self.degrees, generator)
        still = torch.zeros(n, 2, dtype=torch.float64)
        return stnkit.distortions.pose_theta(degrees, torch.ones_like(degrees), still, self.out_size, self.out_size)

    def milder(self) -> "Rotation":
        return Rotation((1, *self.out_size), self.degrees / 2)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("rotation", Rotation)
