"""Packer: decode all images of a dataset once, into one file."""

import contextlib
import errno
import logging
import os
import shutil
import time
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from stnkit.errors import DataError
from stnkit.packing.assignment import Assignment, assign, check_counts
from stnkit.packing.cache_folder import VARIABLE, new_folder
from stnkit.packing.chunk import Outcome, Target, decode_chunk
from stnkit.packing.decoding import Decoding
from stnkit.packing.index import IMAGES, Index
from stnkit.packing.listing import Listing
from stnkit.packing.processes import Chunk, outcomes_of_processes

LOG = logging.getLogger("stnkit.packing")
CHUNK = 16
# Few images are decoded in this process, unless that takes longer than starting others does.
_FEW, _SECONDS = 2_000, 1.0
_FULL = {errno.ENOSPC, errno.EFBIG, *([errno.EDQUOT] if hasattr(errno, "EDQUOT") else [])}


def pack(
    listing: Listing,
    decoding: Decoding,
    shape: tuple[int, int, int],
    cache: Path,
    key: str,
    n_processes: int,
    *,
    skip_broken: bool,
) -> None:
    """Write the pack of that key, whole or not at all.

    Args:
        listing: of the files.
        decoding: the way to the bytes of an image.
        shape: (C, H, W) of each image.
        cache: the folder of the packs.
        key: of the pack.
        n_processes: that decode.
        skip_broken: leave out files that cannot be decoded.

    Raises:
        DataError: when a split or a class of train is empty, a file cannot be read or decoded or has another shape,
            or the disk is too small.
        OSError: when the pack cannot be written.
    """
    began = time.perf_counter()
    assignment = assign(listing)
    check_counts(listing.layout, assignment.counts)
    folder = new_folder(cache, key)
    try:
        target = Target(str(listing.layout.root), str(folder / IMAGES), shape, decoding)
        _allocate(folder / IMAGES, len(assignment.names) * target.image_bytes, cache)
        broken = sorted(_decode(target, assignment, n_processes, skip_broken=skip_broken))
        rows = [row for row, _ in broken]
        rest = assignment.without(rows) if rows else assignment
        check_counts(listing.layout, rest.counts)
        _close_gaps(folder / IMAGES, target.image_bytes, rows, len(assignment.names))
        index = Index(
            root=str(listing.layout.root.resolve()),
            classes=list(listing.layout.classes),
            shape=list(shape),
            counts=rest.counts,
            broken=[[assignment.names[row], reason] for row, reason in broken],
            hidden=listing.hidden,
            others=len(listing.others),
            written=time.time(),
        )
        index.write(folder)
        _rename(folder, cache / key)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    ignored = listing.ignored()
    LOG.info(
        f"packed {index.n_images:,} images of {'×'.join(map(str, shape))} from {target.root} in "
        f"{time.perf_counter() - began:.1f} s into {cache / key}{f'; left out {ignored}' if ignored else ''}"
    )


def _allocate(path: Path, n_bytes: int, cache: Path) -> None:
    """Create the file in its full size, on blocks of its own where the file system can promise these."""
    from rich.filesize import decimal  # not in the processes that decode

    free = shutil.disk_usage(cache).free
    if n_bytes > free:
        raise DataError(
            f"expected {decimal(n_bytes)} on the disk of {cache} for the packed images, got {decimal(free)}; "
            f"dataset.cache=DIR or ${VARIABLE} chooses another one"
        )
    with path.open("wb") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, n_bytes)
        except (AttributeError, OSError) as error:  # no such call, or no promises there
            if isinstance(error, OSError) and error.errno in _FULL:
                raise
            file.truncate(n_bytes)


def _decode(
    target: Target, assignment: Assignment, n_processes: int, *, skip_broken: bool
) -> Iterator[tuple[int, str]]:
    """Decode all images with a progress bar, and give the row and the reason of each that cannot be decoded."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    names = assignment.names
    console = Console(stderr=True)
    columns = [TextColumn("packing images"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with (
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
        contextlib.closing(_outcomes(target, names, n_processes)) as outcomes,
    ):
        done = bar.add_task("", total=len(names))
        for outcome in outcomes:
            if outcome.error is not None:
                raise OSError(*outcome.error)
            if outcome.unreadable is not None:
                raise DataError(outcome.unreadable)
            if outcome.odd is not None:
                _refuse_odd(target, names, *outcome.odd)
            if outcome.broken and not skip_broken:
                row, reason = outcome.broken[0]
                raise undecodable(f"{target.root}/{names[row]}", reason)
            yield from outcome.broken
            bar.advance(done, outcome.n_images)


def undecodable(path: Path | str, reason: str) -> DataError:
    """The error for an image file that cannot be decoded.

    Args:
        path: of the file.
        reason: of Pillow.
    """
    return DataError(
        f"{path} cannot be decoded: {reason}; remove it, or leave out such files with dataset.skip_broken=true"
    )


def _outcomes(target: Target, names: Sequence[str], n_processes: int) -> Generator[Outcome, None, None]:
    chunks: Iterator[Chunk] = ((first, list(names[first : first + CHUNK])) for first in range(0, len(names), CHUNK))
    if n_processes == 1 or len(names) <= _FEW:
        until = time.perf_counter() + (float("inf") if n_processes == 1 else _SECONDS)
        descriptor = os.open(target.file, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        try:
            for chunk in chunks:
                yield decode_chunk(target, descriptor, *chunk)
                if time.perf_counter() > until:
                    break
            else:
                return
        finally:
            os.close(descriptor)
    with contextlib.closing(outcomes_of_processes(target, chunks, n_processes)) as outcomes:
        yield from outcomes


def _refuse_odd(target: Target, names: Sequence[str], row: int, shape: Sequence[int]) -> None:
    (_, height, width), (_, *expected) = shape, target.shape
    raise DataError(
        f"{target.root}/{names[row]}: expected {expected[0]}×{expected[1]} pixels (height × width), as the first image "
        f"has, got {height}×{width}; dataset.size=[{expected[0]},{expected[1]}] brings all images to one size"
    )


def _close_gaps(path: Path, image_bytes: int, rows: Sequence[int], n_images: int) -> None:
    """Move the images behind each row that is left out, and cut the file to the rest."""
    with path.open("r+b") as file:
        to = rows[0] if rows else n_images
        for gap, row in enumerate(rows):
            end = rows[gap + 1] if gap + 1 < len(rows) else n_images
            for moved in range(row + 1, end):
                file.seek(moved * image_bytes)
                content = file.read(image_bytes)
                file.seek(to * image_bytes)
                file.write(content)
                to += 1
        file.truncate(to * image_bytes)
        file.flush()
        os.fsync(file.fileno())  # or a loss of power could leave zeros under a whole index


def _rename(folder: Path, pack: Path) -> None:
    try:
        folder.rename(pack)
    except OSError:
        if not pack.is_dir():
            raise
        shutil.rmtree(folder)  # another process was faster, where the file system has no locks


@contextlib.contextmanager
def written(cache: Path) -> Iterator[None]:
    """Tell an error of the system in one sentence, and leave no empty cache folder behind an error.

    Args:
        cache: the folder of the packs.

    Raises:
        DataError: for each OSError.
    """
    existed = cache.is_dir()
    try:
        yield
    except BaseException as error:
        if not existed:
            with contextlib.suppress(OSError):
                cache.rmdir()
        if not isinstance(error, OSError):
            raise
        full = "the disk is full" if error.errno in _FULL else "the cache folder cannot be written"
        raise DataError(
            f"dataset.cache={cache}: {full} ({error.strerror or error}); dataset.cache=DIR or ${VARIABLE} chooses "
            f"another one"
        ) from error
