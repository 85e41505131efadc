"""Files of 16 bits and several channels, of which Pillow reads 8 bits and writes none; PNG is read and written here."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt16
from PIL import Image

from stnkit.packing.decoding import turn_upright
from stnkit.packing.pixels import UndecodableError

# Pillow's names of the layouts of bytes that it reads as 8 bits: each takes the high byte of a big-endian number. The
# same layout read as little-endian gives the low byte.
_LOW = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L"}
_COLOR_TYPES = {3: 2, 4: 6}
_METERS_PER_INCH = 0.0254
# The beginning of a JPEG 2000 codestream, bytes from there to the bits of its first channel, and bytes of the file in
# which it is sought: a profile may stand in front of it.
_CODESTREAM, _TO_BITS, _SEARCHED = b"\xff\x4f\xff\x51", 42, 2**20
_UP = 2  # the filter of a line: bytes minus those of the line above


def deep_layout(image: Image.Image) -> str | None:
    """Pillow's name of the bytes of a PNG of 16 bits and several channels; None for a file that Pillow reads whole.

    Args:
        image: opened and not loaded.

    Raises:
        UndecodableError: when Pillow reads 8 of the 16 bits and there is no way to the others, or gray of 16 bits is
            transparent where it has a certain value, for which there is no mode.
    """
    if image.mode.startswith(("I", "F")):
        if "transparency" in image.info:
            raise UndecodableError(
                f"expected gray of 16 bits without alpha, got a {image.format} with a transparent value"
            )
        return None
    tiles: Any = getattr(image, "tile", None)
    tile = tiles[0] if tiles else None
    if tile is None or not _is_deep(image, tile):
        return None
    if image.format != "PNG" or tile.args not in _LOW:
        raise UndecodableError(
            "expected 8 bits, or 16 of one channel or of a PNG in RGB or RGBA, got a "
            f"{image.format} of more than 8 bits and {image.mode} channels"
        )
    layout: str = tile.args
    return layout


def _is_deep(image: Image.Image, tile: Any) -> bool:
    """True for more than 8 bits a channel, by the arguments of Pillow's decoder."""
    arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    if image.format == "JPEG2000":
        return _bits_of_jpeg_2000(image) > 8
    if image.format == "PPM":  # the second argument is the largest value of the file
        return any(isinstance(each, int) and each > 255 for each in arguments)
    return tile.codec_name == "SGI16" or any(isinstance(each, str) and ";16" in each for each in arguments)


def _bits_of_jpeg_2000(image: Any) -> int:
    """Bits of the first channel, behind the sizes of the codestream; 0 where its beginning is not found."""
    image.fp.seek(0)
    head = image.fp.read(_SEARCHED)
    at = head.find(_CODESTREAM) + _TO_BITS
    return (head[at] & 0x7F) + 1 if _TO_BITS <= at < len(head) else 0


def low_bytes(path: Path, layout: str) -> Image.Image:
    """The low bytes of a file whose high ones Pillow gives, upright.

    Args:
        path: of the file.
        layout: of its bytes, by `deep_layout`.
    """
    with Image.open(path) as opened:
        image: Any = opened
        image.tile = [tile._replace(args=_LOW[layout]) for tile in image.tile]
        image.load()
        turn_upright(image)
        return opened.copy()


def deep_pixels(image: Image.Image, path: Path, layout: str) -> tuple[UInt16[np.ndarray, "H W K"], str]:
    """All bits of such a file, and their mode: RGB, or RGBA where a color is transparent or the file has alpha.

    Args:
        image: loaded and upright, of the high bytes; a transparent color becomes alpha in it too.
        path: of the file.
        layout: of its bytes, by `deep_layout`.
    """
    pixels = np.asarray(image).astype(np.uint16) * 256 + np.asarray(low_bytes(path, layout))
    color = image.info.pop("transparency", None)
    if color is not None:  # Pillow compares its low bytes with the high ones of the image
        opaque = (pixels != np.array(color)).any(axis=-1)
        pixels = np.dstack([pixels, np.where(opaque, 65_535, 0).astype(np.uint16)])
        image.putalpha(Image.fromarray(np.where(opaque, 255, 0).astype(np.uint8)))
    return pixels, image.mode


def encode_deep(
    pixels: UInt16[np.ndarray, "H W K"],
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """A PNG of 16 bits for each channel.

    Args:
        pixels: of 3 channels, or 4 with alpha.
        icc_profile: as the file has it.
        exif: without the header of JPEG.
        dpi: dots per inch along x and y.
    """
    height, width, channels = pixels.shape
    lines = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, lines.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOR_TYPES[channels], 0, 0, 0))]
    if icc_profile:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile)))
    if dpi:
        chunks.append((b"pHYs", struct.pack(">IIB", *(round(n / _METERS_PER_INCH) for n in dpi), 1)))
    if exif:
        chunks.append((b"eXIf", exif))
    chunks += [(b"IDAT", zlib.compress(filtered.data, 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
