"""Pictures: image files with all of their bits, and written again as they were."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from PIL import Image, JpegImagePlugin
from torch import Tensor

from stnkit.experiments.rectification.deep_png import deep_layout, encode_deep, low_bytes
from stnkit.experiments.rectification.pillow_memory import is_large, load, pixels_of
from stnkit.packing.decoding import decoding_errors, is_negative, quiet_pillow, turn_upright
from stnkit.packing.pixels import UndecodableError

# Formats that are written; files of another are written as PNG.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
_LOSSLESS_WEBP, _WEBP_QUALITY = b"VP8L", 90
_TIFF_COMPRESSIONS = ("tiff_lzw", "tiff_deflate", "tiff_adobe_deflate", "packbits", "lzma", "zstd")
_ALPHA = ("LA", "RGBA")


@dataclass(frozen=True)
class Picture:
    """The pixels of a file, and the way to write others like them.

    Args:
        pixels: (H, W, channels) in uint8, uint16, int32 or float32.
        mode: of Pillow, L, LA, RGB, RGBA, CMYK, I;16, I or F.
        format: of the file to write.
        options: of `Image.save`.
        renamed: True if the file had another format.
    """

    pixels: Shaped[np.ndarray, "H W channels"]
    mode: str
    format: str
    options: dict[str, Any] = field(default_factory=dict)
    renamed: bool = False

    @property
    def is_large(self) -> bool:
        """True if its pixels may lie in memory that the thread reuses for the next file."""
        return is_large(self.pixels.shape[1], self.pixels.shape[0])

    @property
    def alpha(self) -> bool:
        """True if the last channel is alpha."""
        return self.mode in _ALPHA

    @property
    def planes(self) -> Shaped[Tensor, "channels H W"]:
        """The pixels as an image of torch: ink is inverted, so that 0 is black in all of them."""
        pixels = torch.from_numpy(self.pixels).movedim(-1, 0)
        return 255 - pixels if self.mode == "CMYK" else pixels

    def write(self, planes: Shaped[Tensor, "channels height width"], path: Path) -> Path:
        """Write an image like this one, whole or not at all.

        Args:
            planes: as `planes` has them, of any size.
            path: of the file; the ending of another format is added to it.

        Returns:
            The path.

        Raises:
            OSError: when it cannot be written.
        """
        pixels = (255 - planes if self.mode == "CMYK" else planes).movedim(0, -1).numpy()
        path = path.with_name(f"{path.name}.png") if self.renamed else path
        with whole_file(path) as part:
            if pixels.dtype == np.uint16 and pixels.shape[2] > 1:
                part.write_bytes(
                    encode_deep(np.ascontiguousarray(pixels), self.options.get("icc_profile"), self.options.get("exif"))
                )
            else:
                image = _image_of(pixels, self.mode, self.format)
                image.save(part, format=self.format, **self.options)
        return path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write that takes the place of `path` at the end of the context, and is removed by an error.

    Args:
        path: of the result.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


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
        given = image.format or ""
        written = "JPEG" if given == "MPO" else given
        known = written in FORMATS
        pixels, mode = _pixels(image)
        if layout is not None:
            low = np.asarray(low_bytes(path, layout))
            pixels = pixels.astype(np.uint16) * 256 + low
        if negative:
            pixels = (1.0 if mode == "F" else 65_535) - pixels
        return Picture(
            pixels if pixels.ndim == 3 else pixels[..., None],
            mode,
            written if known else "PNG",
            options if known else {name: value for name, value in options.items() if name in ("icc_profile", "exif")},
            renamed=not known,
        ), seen(image, negative=negative)


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
