"""Digits at random positions on a large canvas, among pieces of other digits."""

from collections.abc import Iterable

import torch
from jaxtyping import Float, Int64
from torch import Tensor

import stnkit


class TranslatedCluttered(stnkit.Distortion):
    """The paper's TC: the image at a random position on 60×60 black pixels, among six 6×6 patches of other images.

    The affine θ is the position: uniform among the whole pixels at which all of the image is on the canvas, so that it
    is copied and not interpolated. The clutter comes from the generator of `apply`: each patch is cut at a random
    position from a random other image of the batch (from the image itself in a batch of one) and pasted at a random
    position by the maximum, so that neither hides the other.

    Args:
        image_shape: (C, H, W) of the images; the program supplies it.
        canvas: (H, W) of the distorted image.
        patches: number of patches on each image, 0 for none.
        patch_size: side of a patch in pixels.

    Raises:
        InputError: when an option is out of its range, the image is larger than the canvas, or images are not of two
            dimensions.

    Example:
        >>> import torch, stnkit
        >>> cluttered = stnkit.build("distortion", "translated_cluttered", image_shape=(1, 28, 28), patches=2)
        >>> images, generator = torch.ones(3, 1, 28, 28), torch.Generator().manual_seed(0)
        >>> cluttered.apply(images, cluttered.sample(3, generator), generator).shape
        torch.Size([3, 1, 60, 60])

    Source: Jaderberg et al. 2015, section 4.1 and appendix A.4.
    """

    def __init__(
        self,
        image_shape: tuple[int, ...],
        canvas: tuple[int, int] = (60, 60),
        patches: int = 6,
        patch_size: int = 6,
    ) -> None:
        self.in_size = stnkit.distortions.planar_size(image_shape)
        if any(n > m for n, m in zip(self.in_size, canvas, strict=True)):
            raise stnkit.errors.InputError(
                f"canvas: expected room for images of {list(self.in_size)}, got {list(canvas)}"
            )
        if patches < 0:
            raise stnkit.errors.InputError(f"patches: expected 0 or more, got {patches}")
        if not 1 <= patch_size <= min(self.in_size):
            raise stnkit.errors.InputError(
                f"patch_size: expected 1 to {min(self.in_size)}, the image's smaller side, got {patch_size}"
            )
        self.family = stnkit.build("transform", "affine")
        self.out_size = tuple(canvas)
        self.sampler = stnkit.build("sampler", "bilinear")
        self.patches = patches
        self.patch_size = patch_size

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        shift = torch.empty(n, 2, dtype=torch.float64)
        for d, (full, own) in enumerate(zip(self.out_size[::-1], self.in_size[::-1], strict=True)):
            # The top left corners are a whole number of pixels apart; `shift` is the distance of the centers.
            shift[:, d] = _whole(0, full - own + 1, (n,), generator) - (full - own) / 2
        one = torch.ones(n, dtype=torch.float64)
        return stnkit.distortions.pose_theta(0 * one, one, shift, self.in_size, self.out_size)

    def apply(
        self,
        images: Float[Tensor, "B C *in_size"],
        theta: Float[Tensor, "B P"],
        generator: torch.Generator,
    ) -> Float[Tensor, "B C *out_size"]:
        placed = stnkit.warp(self.family, theta, images, self.sampler, self.out_size)
        return self._cluttered(placed, images, generator) if self.patches > 0 and len(images) > 0 else placed

    def milder(self) -> "_Shifted | None":
        room = [(full - own) / 4 for full, own in zip(self.out_size, self.in_size, strict=True)]
        return _Shifted(self.out_size, room) if max(room) > 0 else None

    def _cluttered(
        self, placed: Float[Tensor, "B C H W"], images: Float[Tensor, "B C h w"], generator: torch.Generator
    ) -> Float[Tensor, "B C H W"]:
        batch, channels = images.shape[:2]
        shape = (batch, self.patches)
        # 1 to B − 1 images further on, cyclically: never the image itself.
        steps = _whole(1, max(batch, 2), shape, generator)
        others = (torch.arange(batch, device=images.device)[:, None] + steps) % batch
        cut = self._pixels(self.in_size, shape, generator)
        pasted = self._pixels(self.out_size, shape, generator)
        values = images.flatten(2)[others[..., None], :, cut]  # (B, patches, pixels of a patch, C)
        values = values.flatten(1, 2).transpose(1, 2)
        index = pasted.flatten(1)[:, None].expand(-1, channels, -1)
        return placed.flatten(2).scatter_reduce(2, index, values, "amax").view_as(placed)

    def _pixels(
        self, size: tuple[int, ...], shape: tuple[int, int], generator: torch.Generator
    ) -> Int64[Tensor, "B patches pixels"]:
        """Indices into a flat image of `size`: the pixels of patches at random positions."""
        height, width = size
        top = _whole(0, height - self.patch_size + 1, shape, generator)
        left = _whole(0, width - self.patch_size + 1, shape, generator)
        side = torch.arange(self.patch_size, device=generator.device)
        inside = side[:, None] * width + side
        return (top * width + left)[..., None] + inside.flatten()


class _Shifted(stnkit.distortions.WarpDistortion):
    """A shift by U(−farthest, farthest) along each axis, on the same canvas.

    Args:
        size: (H, W) of the canvas.
        farthest: along y and x, in pixels.
    """

    def __init__(self, size: tuple[int, ...], farthest: list[float]) -> None:
        super().__init__(stnkit.build("transform", "translation"), stnkit.build("sampler", "bilinear"), size)
        self.farthest = farthest

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n P"]:
        axes = zip(self.farthest[::-1], self.out_size[::-1], strict=True)
        shifts = [2 / side * stnkit.distortions.uniform(n, -far, far, generator) for far, side in axes]
        return torch.stack(shifts, dim=1).float()


def _whole(low: int, high: int, shape: tuple[int, ...], generator: torch.Generator) -> Int64[Tensor, "*shape"]:
    """Uniform whole numbers from low to high − 1."""
    return torch.randint(low, high, shape, generator=generator, device=generator.device)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("translated_cluttered", TranslatedCluttered)
