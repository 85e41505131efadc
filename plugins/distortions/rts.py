"""Random rotation, scale and translation."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit

# Sides of the canvas in those of the image: the paper's 42×42 for 28×28.
_CANVAS = 1.5


class RTS(stnkit.distortions.WarpDistortion):
    """The paper's RTS: rotation by U(−45°, 45°), scale U(0.7, 1.2), at a random position on a larger canvas.

    The position is uniform among those at which all of the scaled, unrotated image is on the canvas.

    Args:
        image_shape: (C, H, W) of the images; the program supplies it.
        degrees: half the range of the rotation, 0 to 180.
        scale: smallest and largest scale, above 0.
        canvas: (H, W) of the distorted image; null for 1.5 times the sides of the original, or more where its largest
            scale needs it.
        padding: value outside of the image: zeros, border (the nearest pixel), or a color, a number from 0 to 1 or a
            list of one for each channel.

    Raises:
        InputError: when an option is out of its range, the scaled image is larger than the canvas, or images are not
            of two dimensions.

    Example:
        >>> import torch, stnkit
        >>> rts = stnkit.build("distortion", "rts", image_shape=(1, 28, 28))
        >>> rts.out_size, rts.sample(3, torch.Generator().manual_seed(0)).shape
        ((42, 42), torch.Size([3, 6]))

    Source: Jaderberg et al. 2015, section 4.1.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        degrees: float = 45.0,
        scale: tuple[float, float] = (0.7, 1.2),
        canvas: tuple[int, int] | None = None,
        padding: str | float | list[float] = "zeros",
    ) -> None:
        if not 0 <= degrees <= 180:
            raise stnkit.errors.InputError(f"degrees: expected a number between 0 and 180, got {degrees}")
        if not 0 < scale[0] <= scale[1] < math.inf:
            raise stnkit.errors.InputError(f"scale: expected two rising finite numbers above 0, got {list(scale)}")
        self.in_size = stnkit.distortions.planar_size(image_shape)
        if canvas is None:
            height, width = (math.ceil(max(_CANVAS, scale[1]) * n) for n in self.in_size)
            canvas = (height, width)
        if any(n * scale[1] > m for n, m in zip(self.in_size, canvas, strict=True)):
            raise stnkit.errors.InputError(
                f"canvas: expected room for images of {list(self.in_size)} at scale {scale[1]}, got {list(canvas)}"
            )
        sampler = stnkit.build("sampler", "bilinear", **stnkit.distortions.sampler_padding(padding, image_shape))
        super().__init__(stnkit.build("transform", "affine"), sampler, canvas)
        self.degrees = degrees
        self.scale = scale

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        degrees = stnkit.distortions.uniform(n, -self.degrees, self.degrees, generator)
        scale = stnkit.distortions.uniform(n, *self.scale, generator)
        shift = torch.empty(n, 2, dtype=torch.float64)
        for d, (full, own) in enumerate(zip(self.out_size[::-1], self.in_size[::-1], strict=True)):
            room = (full - own * scale) / 2
            shift[:, d] = stnkit.distortions.uniform(n, -room, room, generator)
        return stnkit.distortions.pose_theta(degrees, scale, shift, self.in_size, self.out_size)

    def milder(self) -> "_Moved":
        # Half as far as positions at scale 1; a scale may leave no room.
        farthest = [max(full - own, 0) / 4 for full, own in zip(self.out_size, self.in_size, strict=True)]
        return _Moved(self.out_size, self.degrees / 2, (self.scale[1] / self.scale[0]) ** 0.25, farthest)


class _Moved(stnkit.distortions.WarpDistortion):
    """A rotation by U(−degrees, degrees), a scaling by scale^U(−1, 1) and a shift along each axis, on the same canvas.

    Args:
        size: (H, W) of the canvas.
        degrees: half the range of the rotation.
        scale: largest scale, at least 1.
        farthest: shift along y and x, in pixels.
    """

    def __init__(self, size: tuple[int, ...], degrees: float, scale: float, farthest: list[float]) -> None:
        super().__init__(stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear"), size)
        self.degrees = degrees
        self.scale = scale
        self.farthest = farthest

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        degrees = stnkit.distortions.uniform(n, -self.degrees, self.degrees, generator)
        scale = self.scale ** stnkit.distortions.uniform(n, -1, 1, generator)
        shifts = [stnkit.distortions.uniform(n, -far, far, generator) for far in self.farthest[::-1]]
        return stnkit.distortions.pose_theta(degrees, scale, torch.stack(shifts, dim=1), self.out_size, self.out_size)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("rts", RTS)
