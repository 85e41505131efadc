"""Chunk: consecutive images that one process decodes and writes into the file of a pack."""

import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from stnkit.errors import DataError
from stnkit.packing.decoding import Decoding, quiet_pillow
from stnkit.packing.pixels import UndecodableError

_RUN_BYTES = 2**20


@dataclass(frozen=True)
class Target:
    """The images to decode and the file that takes them.

    Args:
        root: above the names of the images.
        file: path of the file of the pack, as large as all images.
        shape: (C, H, W) of each image.
        decoding: the way to the bytes of an image.
    """

    root: str
    file: str
    shape: tuple[int, int, int]
    decoding: Decoding

    @property
    def image_bytes(self) -> int:
        """Bytes of one image."""
        channels, height, width = self.shape
        return channels * height * width

    def as_json(self) -> dict[str, Any]:
        """Plain values, for another process."""
        return {
            "root": self.root,
            "file": self.file,
            "shape": list(self.shape),
            "decoding": self.decoding.as_json(),
        }

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> "Target":
        """The target that `as_json` has described.

        Args:
            values: plain ones.
        """
        channels, height, width = values["shape"]
        decoding = Decoding.of_json(values["decoding"])
        return cls(values["root"], values["file"], (channels, height, width), decoding)


@dataclass
class Outcome:
    """The result of a chunk.

    Args:
        first: row of its first image.
        n_images: number of its images, decoded or not.
        broken: row and reason of each image that cannot be decoded.
        odd: row and shape of an image whose shape is not that of the others.
        error: number and text of an error of the system when writing.
        unreadable: message for an image that the system does not give, decodable or not.
    """

    first: int
    n_images: int
    broken: list[tuple[int, str]] = field(default_factory=list)
    odd: tuple[int, list[int]] | None = None
    error: tuple[int, str] | None = None
    unreadable: str | None = None

    @classmethod
    def of_json(cls, values: dict[str, Any]) -> "Outcome":
        """The outcome of another process: JSON has no tuples.

        Args:
            values: of the fields.
        """
        pairs = {name: values[name] and tuple(values[name]) for name in ("odd", "error")}
        return cls(**{**values, **pairs, "broken": [(row, reason) for row, reason in values["broken"]]})


def decode_chunk(target: Target, descriptor: int, first: int, names: list[str]) -> Outcome:
    """Decode images and write each at its row of the file.

    Args:
        target: of the images.
        descriptor: of the file, open for writing.
        first: row of the first image.
        names: of the images, below the root.
    """
    outcome = Outcome(first, len(names))
    # Images of consecutive rows are written at once.
    buffer = np.empty((max(1, min(len(names), _RUN_BYTES // target.image_bytes)), *target.shape), np.uint8)
    filled = 0
    with quiet_pillow():
        for row, name in enumerate(names, start=first):
            try:
                array = target.decoding.decode(f"{target.root}/{name}")
            except DataError as error:
                outcome.unreadable = str(error)
                return outcome
            except UndecodableError as error:
                outcome.broken.append((row, str(error)))
                _write(target, descriptor, buffer[:filled], row, outcome)
                filled = 0
                continue
            if array.shape != target.shape:
                outcome.odd = (row, list(array.shape))
                return outcome
            buffer[filled] = array
            filled += 1
            if filled == len(buffer):
                _write(target, descriptor, buffer, row + 1, outcome)
                filled = 0
    _write(target, descriptor, buffer[:filled], first + len(names), outcome)
    return outcome


def _write(target: Target, descriptor: int, images: npt.NDArray[np.uint8], end: int, outcome: Outcome) -> None:
    """Write images of consecutive rows, the last of which is the one before `end`."""
    if not len(images):
        return
    content = images.data.cast("B")
    try:
        os.lseek(descriptor, (end - len(images)) * target.image_bytes, os.SEEK_SET)  # Windows has no pwrite
        while content:  # a call may write a part, where the disk is almost full
            content = content[os.write(descriptor, content) :]
    except OSError as error:
        outcome.error = (error.errno or 0, error.strerror or str(error))
