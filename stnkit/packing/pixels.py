"""Pixels of any Pillow mode as 8-bit gray or RGB, scaled and never wrapped, over a background."""

import numpy as np
import numpy.typing as npt
from PIL import Image

# A color (R, G, B), each 0 to 255.
Color = tuple[int, int, int]


class UndecodableError(Exception):
    """A file has no image that can be decoded; the message is the reason."""


def as_bytes(image: Image.Image, channels: int, background: Color, *, negative: bool = False) -> Image.Image:
    """An image in mode L or RGB. Where it is transparent, the background shows.

    Args:
        image: loaded, of any mode of Pillow.
        channels: 1 for gray (ITU-R 601 luma), 3 for RGB.
        background: behind transparent pixels.
        negative: True if 0 is white in an image of more than 8 bits.

    Raises:
        UndecodableError: when integers of 32 bits are not 0 to 65,535, or floating-point numbers not 0 to 1.
    """
    if image.mode.startswith(("I", "F")):
        image = _scaled(image, background, negative=negative)
    elif image.has_transparency_data or image.mode == "La":
        image = _over(image, background)
    wanted = "L" if channels == 1 else "RGB"
    if image.mode == wanted:
        return image
    if wanted == "L" and image.mode not in ("1", "LA", "RGB"):
        # The other modes have no way to L of their own, or one with other weights.
        image = image.convert("RGB")
    return image.convert(wanted)


def _scaled(image: Image.Image, background: Color, *, negative: bool) -> Image.Image:
    """An image of more than 8 bits as RGB: Pillow's own `convert` clips it at 255."""
    values = np.asarray(image)
    if image.mode == "F":
        _check_range(values, 1, "floating-point numbers")
        whole = values.astype(np.float64)
        gray = np.floor(255 * (1 - whole if negative else whole) + 0.5)
    else:  # I of 32 bits, or I;16 in one of its byte orders
        if image.mode == "I":
            _check_range(values, 65_535, "32-bit integers")
        gray = (values.astype(np.uint32) + 128) // 257
        if negative:
            gray = 255 - gray
    pixels = np.repeat(gray.astype(np.uint8)[..., None], 3, axis=-1)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):  # of a 16-bit PNG: one value
        pixels[values == transparent] = background
    return Image.fromarray(pixels)


def _check_range(values: npt.NDArray[np.generic], largest: int, kind: str) -> None:
    low, high = float(values.min()), float(values.max())
    if not (low >= 0 and high <= largest):  # true for NaN too
        raise UndecodableError(f"expected {kind} from 0 to {largest}, got {low:g} to {high:g}")


def _over(image: Image.Image, background: Color) -> Image.Image:
    if image.mode == "La":  # premultiplied: Pillow knows one step at a time
        image = image.convert("LA")
    canvas = Image.new("RGBA", image.size, (*background, 255))
    canvas.alpha_composite(image.convert("RGBA"))
    return canvas.convert("RGB")
