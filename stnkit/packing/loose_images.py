"""Loose images: all image files below a folder, which need no classes and no common size."""

import logging
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stnkit.errors import DataError
from stnkit.packing.decoding import Decoding, quiet_pillow
from stnkit.packing.listing import endings
from stnkit.packing.pixels import UndecodableError

LOG = logging.getLogger("stnkit.packing")


def find_images(root: Path) -> list[Path]:
    """The image files in a folder and in those below it, sorted by name; hidden ones are left out.

    A line of the log has the number of other files.

    Args:
        root: of the images.

    Raises:
        DataError: when it is no folder, or there is no image in it.
    """
    if not root.is_dir():
        raise DataError(f"dataset.root: expected a folder of images, got {root}, which is none")
    found: list[Path] = []
    others: list[Path] = []
    for folder, inside, names in os.walk(root):
        inside[:] = [name for name in inside if not name.startswith(".")]
        for path in (Path(folder, name) for name in names if not name.startswith(".")):
            (found if path.suffix.lower() in endings() and path.is_file() else others).append(path)
    if not found:
        raise DataError(f"dataset.root={root}: expected images, got a folder without any")
    if others:
        LOG.info(f"left out {len(others):,} other file{'s' * (len(others) > 1)} of {root}, such as {min(others)}")
    return sorted(found)


def read_image(path: Path, decoding: Decoding) -> npt.NDArray[np.uint8]:
    """An image as (C, H, W).

    Args:
        path: of the file.
        decoding: the way from the file to bytes.

    Raises:
        DataError: when it cannot be decoded.
    """
    with quiet_pillow():
        try:
            return decoding.decode(path)
        except UndecodableError as error:
            raise DataError(f"{path} cannot be decoded: {error}") from error
