"""PNG files of 16 bits and several channels, of which Pillow reads 8 bits and writes none."""

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
_UP = 2  # the filter of a line: bytes minus those of the line above


def deep_layout(image: Image.Image) -> str | None:
    """Pillow's name of the bytes of a file of 16 bits and several channels; None for any other.

    Args:
        image: opened and not loaded.

    Raises:
        UndecodableError: when Pillow reads 8 of the 16 bits and there is no way to the others.
    """
    tiles: Any = getattr(image, "tile", None)
    layout = tiles[0].args if tiles else None
    layout = layout[0] if isinstance(layout, tuple) else layout
    if not isinstance(layout, str) or ";16" not in layout or image.mode.startswith("I;16"):
        return None
    if image.format != "PNG" or layout not in _LOW:
        kind = f"{image.format} of 16 bits and {layout.partition(';')[0]} channels"
        raise UndecodableError(f"expected 8 bits, or 16 of one channel or of a PNG in RGB or RGBA, got a {kind}")
    return layout


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


def encode_deep(pixels: UInt16[np.ndarray, "H W K"], profile: bytes | None = None, exif: bytes | None = None) -> bytes:
    """A PNG of 16 bits for each channel.

    Args:
        pixels: of 3 channels, or 4 with alpha.
        profile: ICC.
        exif: without the header of JPEG.
    """
    height, width, channels = pixels.shape
    lines = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    filtered = np.empty((height, lines.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, _COLOR_TYPES[channels], 0, 0, 0))]
    if profile:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)))
    if exif:
        chunks.append((b"eXIf", exif))
    chunks += [(b"IDAT", zlib.compress(filtered.data, 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
