"""Index: the JSON beside the packed images, which says what they are."""

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

IMAGES, INDEX = "images.bin", "index.json"
# Another one for other bytes: packs of an earlier version are found no more.
FORMAT = 2


@dataclass(frozen=True)
class Index:
    """A description of packed images.

    Args:
        root: the folder that was packed; the images may have moved since.
        classes: names of the classes.
        shape: (C, H, W) of each image.
        counts: by split, the number of images of each label; the images are in that order.
        broken: name and reason of each file that could not be decoded and is not in the pack.
        hidden: number of hidden files, which are left out.
        others: number of other files, which are left out.
        written: time at which it was packed, seconds since 1970.
    """

    root: str
    classes: list[str]
    shape: list[int]
    counts: dict[str, list[int]]
    broken: list[list[str]]
    hidden: int
    others: int
    written: float

    @property
    def n_images(self) -> int:
        """Number of images in all splits."""
        return sum(map(sum, self.counts.values()))

    @property
    def image_bytes(self) -> int:
        """Bytes of one image."""
        channels, height, width = self.shape
        return channels * height * width

    def write(self, folder: Path) -> None:
        """Write the index as the last file of a pack, and keep it over a loss of power.

        Args:
            folder: of the pack.
        """
        with (folder / INDEX).open("w", encoding="utf-8") as file:
            json.dump({"format": FORMAT, **asdict(self)}, file)
            file.flush()
            os.fsync(file.fileno())


def read_index(folder: Path) -> Index | None:
    """The index of a pack; None where there is no pack, or one that is cut short.

    Args:
        folder: perhaps of a pack.
    """
    try:
        values: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            return None
        index = Index(**values)
        whole = (folder / IMAGES).stat().st_size == index.n_images * index.image_bytes
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return index if whole else None


def note_use(folder: Path) -> None:
    """Note that a pack is used now, where its folder can be written.

    Args:
        folder: of the pack.
    """
    with contextlib.suppress(OSError):
        os.utime(folder / INDEX)


def last_use(folder: Path) -> float:
    """Time at which a pack was used last, seconds since 1970.

    Args:
        folder: of the pack.
    """
    return (folder / INDEX).stat().st_mtime
