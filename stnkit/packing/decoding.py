"""Decoding: one image file as an array of bytes."""

import contextlib
import dataclasses
import errno
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from stnkit.errors import DataError, InputError
from stnkit.listed import check_choice
from stnkit.packing.fitting import Fit, fitted
from stnkit.packing.pixels import Color, UndecodableError, as_bytes

LARGEST_SIDE = 65_535
# Errors of the system that a damaged file causes: an offset that leads before its beginning, or too far.
_OF_FILE = {errno.EINVAL, errno.EOVERFLOW}
_TO_NOWHERE = {errno.ENOENT, errno.ENOTDIR}
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # of TIFF


@dataclasses.dataclass(frozen=True)
class Decoding:
    """The way from an image file to bytes.

    Args:
        channels: 1 for gray or 3 for RGB.
        size: (H, W) of the result; None for that of the file.
        fit: the way to that size.
        background: behind transparent pixels and beside padded images, 0 to 255: a gray, or R, G and B.

    Raises:
        InputError: when one of them is out of its range.
    """

    channels: int = 3
    size: tuple[int, int] | None = None
    fit: Fit = Fit.stretch
    background: Color = (0, 0, 0)

    @classmethod
    def of_options(
        cls, channels: int, size: list[int] | None, fit: Fit | str, background: int | list[int]
    ) -> "Decoding":
        """The decoding of a dataset's options.

        Args:
            channels: 1 or 3.
            size: [H, W] or None.
            fit: stretch, crop or pad.
            background: one gray, or three numbers.

        Raises:
            InputError: when one of them is out of its range.
        """
        if channels not in (1, 3):
            raise InputError(f"dataset.channels: expected 1 or 3, got {channels}")
        if size is not None and (len(size) != 2 or not all(1 <= side <= LARGEST_SIDE for side in size)):
            raise InputError(f"dataset.size: expected [H, W], each from 1 to {LARGEST_SIDE}, got {list(size)}")
        check_choice("dataset.fit", fit, Fit)
        color = [background] * 3 if isinstance(background, int) else list(background)
        if len(color) != 3 or not all(0 <= value <= 255 for value in color):
            raise InputError(f"dataset.background: expected a gray, or [R, G, B], from 0 to 255, got {background!r}")
        if channels == 1 and len(set(color)) > 1:
            raise InputError(f"dataset.background: expected a gray for dataset.channels=1, got {background!r}")
        return cls(channels, None if size is None else (size[0], size[1]), Fit(fit), (color[0], color[1], color[2]))

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> "Decoding":
        """The decoding that `as_json` has described.

        Args:
            values: plain ones.
        """
        return cls.of_options(**values)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for another process and for the key of a pack."""
        return {
            "channels": self.channels,
            "size": None if self.size is None else list(self.size),
            "fit": str(self.fit),
            "background": list(self.background),
        }

    def decode(self, path: Path | str) -> npt.NDArray[np.uint8]:
        """The first image of a file, upright, as (C, H, W).

        Inside of `quiet_pillow`, or Pillow warns of EXIF, palettes and large images.

        Args:
            path: of the file.

        Raises:
            UndecodableError: when the file has no image, is cut short, or is a link to nowhere.
            DataError: when the system refuses to read it, or has no memory: another time it may be decoded.
        """
        with decoding_errors(path):
            with Image.open(path) as image:
                image.load()
                negative = is_negative(image)
                turn_upright(image)
                pixels = as_bytes(image, self.channels, self.background, negative=negative)
            if self.size is not None:
                pixels = fitted(pixels, self.size, self.fit, self.background)
        array = np.asarray(pixels)
        return array.transpose(2, 0, 1) if self.channels == 3 else array[None]


@contextlib.contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's advice: what cannot be decoded is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def decoding_errors(path: Path | str) -> Iterator[None]:
    """Raise what a decoder says of a file as an error of ours, inside of which `quiet_pillow` is of use.

    Args:
        path: of the file.

    Raises:
        UndecodableError: when the file has no image, is cut short, or is a link to nowhere.
        DataError: when the system refuses to read it, or has no memory: another time it may be decoded.
    """
    try:
        yield
    except UndecodableError:
        raise
    except Exception as error:  # each decoder has errors of its own
        if _is_of_system(error, path):
            raise DataError(f"{path} cannot be read: {_reason(error)}") from error
        raise UndecodableError(_reason(error)) from error


def turn_upright(image: Image.Image) -> None:
    """Turn and mirror an image as its EXIF says, and forget that it did.

    Args:
        image: loaded; changed in place.
    """
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception as error:  # damaged EXIF beside an image that is not
        if _is_of_system(error):
            raise


def is_negative(image: Image.Image) -> bool:
    """True where 0 is white in a TIFF. Pillow inverts one of up to 8 bits itself, and no other.

    Args:
        image: as it was opened.
    """
    deep = image.mode.startswith(("I", "F"))
    return deep and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _is_of_system(error: Exception, path: Path | str | None = None) -> bool:
    """True for an error that says nothing of the file's content, such as a missing permission."""
    if not isinstance(error, OSError):
        return isinstance(error, MemoryError)
    if error.errno in _TO_NOWHERE and path is not None and Path(path).is_symlink():
        return False
    return error.errno is not None and error.errno not in _OF_FILE


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "Pillow finds no image in it"
    if isinstance(error, Image.DecompressionBombError):  # of twice the number at which Pillow warns
        return f"expected at most {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, the limit of Pillow, got more"
    if isinstance(error, MemoryError):
        return "not enough memory"
    text = " ".join(str(error.strerror if isinstance(error, OSError) and error.strerror else error).split())
    return text or type(error).__name__
