"""Pictures: image files with all of their bits, and written again as they were."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from PIL import Image, JpegImagePlugin
from torch import Tensor

from stnkit.experiments.rectification.deep_png import deep_layout, deep_pixels, encode_deep
from stnkit.experiments.rectification.pillow_memory import is_large, load, pixels_of
from stnkit.files.atomic import whole_file
from stnkit.packing.decoding import decoding_errors, is_negative, quiet_pillow, turn_upright
from stnkit.packing.pixels import UndecodableError

# Formats that are written. Files of another become PNG, or TIFF in a mode that PNG does not have.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_ENDINGS, _ONLY_IN_TIFF = {"PNG": ".png", "TIFF": ".tif"}, ("F", "CMYK")
_LOSSLESS_WEBP, _WEBP_QUALITY = b"VP8L", 90
_TIFF_COMPRESSIONS = ("tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits", "lzma", "zstd")
_BITS = 258  # the tag of a TIFF
_HIGHEST_DPI = 2**32 * 0.0254  # of a PNG
_ALPHA = ("LA", "RGBA")
# Spaces of ICC profiles whose images are read in RGB, of which such a profile says nothing.
_READ_IN_RGB = (b"Lab ", b"YCbr", b"HSV ")


@dataclass(frozen=True)
class Picture:
    """The pixels of a file, and the way to write others like them.

    Args:
        pixels: (H, W, channels) in uint8, uint16, int32 or float32.
        mode: of Pillow, L, LA, RGB, RGBA, CMYK, I;16, I or F.
        format: of the file to write.
        options: of `Image.save`.
        ending: of another format than the file's, which the name of the result gets; empty if the format stays.
    """

    pixels: Shaped[np.ndarray, "H W channels"]
    mode: str
    format: str
    options: dict[str, Any] = field(default_factory=dict)
    ending: str = ""

    @property
    def is_large(self) -> bool:
        """True if its pixels may lie in memory that the thread reuses for the next file."""
        return is_large(self.pixels.shape[1], self.pixels.shape[0])

    @property
    def alpha(self) -> bool:
        """True if the last channel is alpha."""
        return self.mode in _ALPHA

    @property
    def ink(self) -> bool:
        """True if the channels are cyan, magenta, yellow and black."""
        return self.mode == "CMYK"

    @property
    def planes(self) -> Shaped[Tensor, "channels H W"]:
        """The pixels as an image of torch: ink is inverted, so that 0 is black in all of them."""
        pixels = torch.from_numpy(self.pixels).movedim(-1, 0)
        return 255 - pixels if self.ink else pixels

    def write(self, planes: Shaped[Tensor, "channels height width"], path: Path) -> None:
        """Write an image like this one, whole or not at all.

        Args:
            planes: as `planes` has them, of any size.
            path: of the file.

        Raises:
            OSError: when it cannot be written.
        """
        pixels = (255 - planes if self.ink else planes).movedim(0, -1).numpy()
        with whole_file(path) as part:
            if pixels.dtype == np.uint16 and pixels.shape[2] > 1:
                told = {name: self.options.get(name) for name in ("icc_profile", "exif", "dpi")}
                part.write_bytes(encode_deep(np.ascontiguousarray(pixels), **told))
            else:
                image = _image_of(pixels, self.mode, self.format)
                try:
                    image.save(part, format=self.format, **self.options)
                except (ValueError, OverflowError, struct.error) as error:  # each encoder has errors of its own
                    raise OSError(str(error)) from error


Seen = Callable[..., Any]


def read_picture(path: Path, seen: Seen) -> tuple[Picture, Any]:
    """The first image of a file, upright, and what `seen` makes of it.

    The pixels of a large JPEG lie in memory that is written over by the next one, where the thread reuses it.

    Args:
        path: of the file.
        seen: is called with the image as Pillow has it, and `negative`, True if 0 is white.

    Raises:
        UndecodableError: when the file has no image, is cut short, or has bits that cannot be read.
        DataError: when the system refuses to read it.
    """
    with quiet_pillow(), decoding_errors(path), Image.open(path) as image:
        layout = deep_layout(image)
        load(image, path.stat().st_size)
        options, negative = _options(image, path), is_negative(image)
        turn_upright(image)
        if image.format != "TIFF" and (exif := image.getexif()):  # of a TIFF it holds the layout of the file
            options["exif"] = exif.tobytes().removeprefix(b"Exif\0\0") if layout else exif.tobytes()
        pixels, mode = _pixels(image) if layout is None else deep_pixels(image, path, layout)
        if negative:
            pixels = (1.0 if mode == "F" else 65_535) - pixels
        if mode != image.mode and options.get("icc_profile", b"")[16:20] in _READ_IN_RGB:
            del options["icc_profile"]
        found = seen(image, negative=negative)
        given = "JPEG" if image.format == "MPO" else image.format or ""
        if mode == "I" and (given not in FORMATS or getattr(image, "tag_v2", {}).get(_BITS) == (16,)):
            pixels, mode = pixels.astype(np.uint16), "I;16"  # 0 to 65,535, or `seen` has refused it
        if given in FORMATS:
            return Picture(_with_channels(pixels), mode, given, options), found
        written = "TIFF" if mode in _ONLY_IN_TIFF else "PNG"
        kept = ("icc_profile", "dpi") if written == "TIFF" else ("icc_profile", "dpi", "exif")
        options = {name: options[name] for name in kept if name in options}
        return Picture(_with_channels(pixels), mode, written, options, _ENDINGS[written]), found


def _with_channels(pixels: np.ndarray) -> Shaped[np.ndarray, "H W channels"]:
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _image_of(pixels: np.ndarray, mode: str, file_format: str) -> Image.Image:
    """An image of these pixels, for JPEG in their own memory if it is that of Pillow, four bytes for each of RGB."""
    height, width, channels = pixels.shape
    # Its mode is RGBX then, which other formats do not write.
    if file_format == "JPEG" and channels == 3 and pixels.dtype == np.uint8 and pixels.strides == (4 * width, 4, 1):
        padded = np.lib.stride_tricks.as_strided(pixels, (height, width, 4))
        return Image.frombuffer("RGB", (width, height), padded, "raw", "RGBX", 0, 1)
    whole = np.ascontiguousarray(pixels)
    return Image.fromarray(whole[..., 0] if channels == 1 else whole, mode if mode in ("CMYK", "LA") else None)


def _pixels(image: Image.Image) -> tuple[np.ndarray, str]:
    """All bits of an image, and the mode in which they are written."""
    mode = image.mode
    if mode.startswith("I;16"):
        return np.array(image, dtype=np.uint16), "I;16"
    if mode not in ("I", "F", "CMYK"):
        transparent = image.has_transparency_data or mode in ("La", "RGBa", "PA")
        gray = mode in ("1", "L", "LA", "La")
        mode = ("LA" if transparent else "L") if gray else ("RGBA" if transparent else "RGB")
        image = image if image.mode == mode else image.convert("LA" if image.mode == "La" else mode)
    pixels = pixels_of(image)
    if mode == "F" and not np.isfinite(pixels).all():
        raise UndecodableError("expected finite numbers, got NaN or infinity")
    return pixels, mode


def _options(image: Image.Image, path: Path) -> dict[str, Any]:
    """The options of `Image.save` that make a file like this one."""
    info = image.info
    options = {name: info[name] for name in ("icc_profile", "dpi") if info.get(name)}
    if not all(0 < n < _HIGHEST_DPI for n in options.get("dpi", ())):  # such as 0/0, which no encoder takes
        del options["dpi"]
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        options["qtables"] = image.quantization
        options["progressive"] = bool(info.get("progressive"))
        if (sampling := JpegImagePlugin.get_sampling(image)) >= 0:
            options["subsampling"] = sampling
    elif image.format == "TIFF" and info.get("compression") in _TIFF_COMPRESSIONS:
        options["compression"] = info["compression"]
    elif image.format == "WEBP":
        with path.open("rb") as file:
            options["lossless"] = _LOSSLESS_WEBP in file.read(4096)
        options["quality"] = _WEBP_QUALITY
    return options
