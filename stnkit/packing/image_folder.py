"""ImageFolder: a folder of image files that is packed once and mapped ever after."""

import errno
import logging
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stnkit.errors import DataError, InputError
from stnkit.packing.cache_folder import packing_lock, remove_remains
from stnkit.packing.decoding import Decoding, quiet_pillow
from stnkit.packing.index import note_use, read_index
from stnkit.packing.layout import Layout
from stnkit.packing.listing import first_images, list_files
from stnkit.packing.pack import Pack
from stnkit.packing.packer import pack, undecodable, written
from stnkit.packing.pixels import UndecodableError
from stnkit.shares import SPLITS

if TYPE_CHECKING:
    from torch import Tensor

LOG = logging.getLogger("stnkit.packing")


class ImageFolder:
    """The images of a folder and their pack.

    Args:
        layout: of the folder.
        decoding: the way from a file to bytes.
        cache: the folder of the packs.
        skip_broken: leave out files that cannot be decoded.
        n_processes: that decode; None for one on each core.
        may_pack: False to read only what is packed.

    Raises:
        InputError: when `n_processes` is less than 1, or the cache folder is inside of the images or
            a link that leads to itself.
    """

    def __init__(
        self,
        layout: Layout,
        decoding: Decoding,
        cache: Path,
        *,
        skip_broken: bool = False,
        n_processes: int | None = None,
        may_pack: bool = True,
    ) -> None:
        if n_processes is not None and n_processes < 1:
            raise InputError(f"dataset.workers: expected at least 1, got {n_processes}")
        _check_place(cache, layout.root)
        self.layout = layout
        self.decoding = decoding
        self.cache = cache
        self.skip_broken = skip_broken
        self.n_processes = n_processes or _cores()
        self.may_pack = may_pack
        self._found: Pack | None = None

    @cached_property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W): of the size that is asked for, or of the first image.

        Raises:
            DataError: when there is no image, or it cannot be decoded.
        """
        if self.decoding.size is not None:
            return (self.decoding.channels, *self.decoding.size)
        for path in first_images(self.layout):
            try:
                with quiet_pillow():
                    channels, height, width = self.decoding.decode(path).shape
            except UndecodableError as error:
                if not self.skip_broken:
                    raise undecodable(path, str(error)) from error
            else:
                return (channels, height, width)
        list_files(self.layout)  # says so where there are none at all
        raise DataError(f"dataset.root={self.layout.root}: expected images, got none that can be decoded")

    def split(self, name: str) -> "tuple[Tensor, Tensor]":
        """The images of a split, uint8 (N, C, H, W) in mapped memory, and their labels, int64 (N,).

        Args:
            name: train, validation or test.

        Raises:
            InputError: for another name.
            DataError: when the images cannot be packed, or must not be.
        """
        if name not in SPLITS:
            raise InputError(f"expected a split of {', '.join(SPLITS)}, got {name!r}")
        return self._pack().split(name)

    def _pack(self) -> Pack:
        """The pack, written at the first call if it is not there."""
        if self._found is None:
            self._found = self._find()
        return self._found

    def _find(self) -> Pack:
        listing = list_files(self.layout)
        key = listing.key({"decoding": self.decoding.as_json(), "shape": self.image_shape})
        folder = self.cache / key
        index = read_index(folder)
        if index is None:
            if not self.may_pack:
                raise DataError(f"the {len(listing):,} images of {self.layout.root} are not packed yet")
            with written(self.cache), packing_lock(self.cache, key) as locked:
                index = read_index(folder)  # written while this process waited
                if index is None:
                    remove_remains(self.cache, key, locked=locked)
                    pack(
                        listing,
                        self.decoding,
                        self.image_shape,
                        self.cache,
                        key,
                        self.n_processes,
                        skip_broken=self.skip_broken,
                    )
                    index = read_index(folder)
        if index is None:
            raise DataError(f"{folder} was removed while it was read: the same command packs the images again")
        if index.broken and not self.skip_broken:
            broken, reason = index.broken[0]
            raise undecodable(self.layout.root / broken, reason)
        if index.broken:
            broken, reason = index.broken[0]
            LOG.warning(
                f"left out {len(index.broken):,} files of {self.layout.root} that cannot be decoded, such as {broken}: "
                f"{reason}"
            )
        note_use(folder)
        return Pack(folder, index)


def _check_place(cache: Path, root: Path) -> None:
    try:
        cache.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise InputError(f"dataset.cache: expected a folder, got {cache}, a link that leads to itself") from error
    if Path(os.path.realpath(cache)).is_relative_to(os.path.realpath(root)):
        raise InputError(f"dataset.cache: expected a folder outside of dataset.root={root}, got {cache}")


def _cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
