"""Fit: the way in which an image is brought to a size."""

import enum

from PIL import Image, ImageOps

from stnkit.packing.pixels import Color

# The triangle of bilinear interpolation, as wide as the reduction: Pillow antialiases, and nothing overshoots.
_FILTER = Image.Resampling.BILINEAR


class Fit(enum.StrEnum):
    """The way in which an image is brought to a size."""

    stretch = "stretch"  # both axes on their own
    crop = "crop"  # the largest part of that shape, from the middle
    pad = "pad"  # all of it, in the middle of the background


def fitted(image: Image.Image, size: tuple[int, int], fit: Fit, background: Color) -> Image.Image:
    """The image in that size, antialiased.

    Args:
        image: of mode L or RGB.
        size: (H, W) of the result.
        fit: the way.
        background: beside an image that is padded.
    """
    height, width = size
    if image.size == (width, height):
        return image
    if fit is Fit.stretch:
        return image.resize((width, height), _FILTER)
    if fit is Fit.crop:
        return ImageOps.fit(image, (width, height), _FILTER)
    # Not ImageOps.pad, which leaves out an image that would be thinner than a pixel.
    scale = min(width / image.width, height / image.height)
    across, down = (
        max(1, min(most, round(scale * own))) for own, most in zip(image.size, (width, height), strict=True)
    )
    canvas = Image.new("RGB", (width, height), background)
    canvas.paste(image.resize((across, down), _FILTER), ((width - across) // 2, (height - down) // 2))
    return canvas.convert(image.mode)
