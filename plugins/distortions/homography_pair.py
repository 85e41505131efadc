"""Random homographies between the two images of a pair, without a border."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

import stnkit
from stnkit.errors import InputError


class HomographyPair(stnkit.Distortion):
    """moving = the center of the first image; fixed = the second one read at the center, its corners moved at random.

    T_θ takes points of the fixed image to points of the moving one, both of them the center of `size`: a corner of the
    fixed image shows the point that lies off the same corner of the moving image by U(−shift, shift) pixels along x and
    along y. The original images are larger by `shift` on every side, so that nothing is read outside of them.

    Args:
        image_shape: (2C, H, W) of the pairs; the program supplies it.
        shift: largest move of a corner in pixels along each axis, up to a quarter of the smaller side of `size`:
            beyond, the four corners may lie on one line. Null for a sixth of the smaller side of the images, rounded
            down.
        size: [H, W] of both images of a distorted pair; null for that of the images less `shift` on every side.

    Raises:
        InputError: when images are not of two dimensions and an even number of channels, an option is out of its range,
            or `shift` does not fit between `size` and the images.

    Example:
        >>> import stnkit, torch
        >>> pairs = stnkit.build("distortion", "homography_pair", image_shape=(2, 192, 192))
        >>> pairs.out_size, pairs.shift
        ((128, 128), 32.0)

    Source: DeTone, Malisiewicz, Rabinovich 2016, Deep Image Homography Estimation, section 3: there the images have
        128×128 pixels and corners move by up to 32.
    """

    channels_move_together = False
    between_pair = True

    def __init__(
        self, image_shape: tuple[int, ...], shift: float | None = None, size: tuple[int, int] | None = None
    ) -> None:
        in_size = stnkit.distortions.planar_size(image_shape)
        if image_shape[0] % 2:
            raise InputError(f"image_shape: expected (2C, H, W), the channels of two images, got {list(image_shape)}")
        self.shift = float(min(in_size) // 6) if shift is None else float(shift)
        if not 0 <= self.shift <= min(in_size) / 2:
            raise InputError(f"shift: expected 0 to {min(in_size) / 2}, half of the smaller side, got {self.shift}")
        margin = math.ceil(self.shift)
        given = [max(1, side - 2 * margin) for side in in_size] if size is None else size
        self.out_size = stnkit.coordinates.check_size(given, 2)
        self._corner = tuple((side - out) // 2 for side, out in zip(in_size, self.out_size, strict=True))
        if any((side - out) % 2 for side, out in zip(in_size, self.out_size, strict=True)):
            raise InputError(f"size: expected an even difference from {list(in_size)}, got {list(self.out_size)}")
        if min(self._corner) < self.shift:
            raise InputError(
                f"size and shift: expected images that are larger than size by {self.shift} pixels on every side, got "
                f"images of {list(in_size)} and size={list(self.out_size)}"
            )
        if self.shift > (most := min(self.out_size) / 4):
            raise InputError(f"shift: expected 0 to {most}, a quarter of the smaller side of size, got {self.shift}")
        self.family = stnkit.build("transform", "homography4")
        # A corner that moves by all of `shift` lies on the outer edge, half a pixel beyond the last pixel centers.
        self._sampler: stnkit.Sampler = stnkit.build("sampler", "bilinear", padding="border")
        # From normalized points of the center to those of the image, x before y.
        self._zoom = torch.tensor([out / side for side, out in zip(in_size, self.out_size, strict=True)][::-1])

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        moves = stnkit.distortions.uniform(8 * n, -self.shift, self.shift, generator).view(n, 2, 4)
        sides = torch.tensor(self.out_size[::-1], dtype=moves.dtype)
        return (2 * moves / sides[:, None]).flatten(start_dim=1).float()

    def apply(
        self,
        images: Float[Tensor, "B C *in_size"],
        theta: Float[Tensor, "B P"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B C *out_size"]:
        moving, original = images.chunk(2, dim=1)
        for axis, (first, length) in enumerate(zip(self._corner, self.out_size, strict=True), start=2):
            moving = moving.narrow(axis, first, length)
        grid = self.family.grid(theta, self.out_size) * self._zoom.to(theta)
        return torch.cat([moving, self._sampler(original, grid)], dim=1)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("homography_pair", HomographyPair)
