"""Listing: the image files of a dataset with their sizes and times, and the key that follows from these."""

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from posixpath import join
from typing import Any

from stnkit.errors import DataError
from stnkit.packing.layout import Layout, is_folder

# Number of files whose first bytes are part of the key: other data may have the same names, sizes and times.
_SAMPLED, _SAMPLE_BYTES = 16, 2**16
# Ends a field of a line.
_END = "\0"
# A format that Pillow recognizes and cannot decode.
_NOT_DECODED = {"MPEG"}
# Formats that Pillow decodes by the plugin of another one: several JPEG images in a file.
_BY_ANOTHER = {"MPO": "JPEG"}


@dataclass
class Listing:
    """The files of a dataset.

    Args:
        layout: of the dataset.
        lines: of the images, one list for each of the layout's class folders, sorted: a line has the name below that
            folder, the size in bytes and the time of the last change in ns, separated by null characters. A million
            strings keep the garbage collector less busy than a million tuples.
        hidden: number of files and folders whose name begins with a dot, which are left out.
        others: names of other files, which are left out: their endings are no image's, they are no regular files
            (but pipes, say), or links that lead to themselves.
    """

    layout: Layout
    lines: list[list[str]] = field(default_factory=list)
    hidden: int = 0
    others: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return sum(map(len, self.lines))

    def names(self) -> Iterator[list[str]]:
        """The names of the images below the root, one list for each of the layout's class folders."""
        for (folder, _), lines in zip(self.layout.class_folders(), self.lines, strict=True):
            yield [join(folder, line.partition(_END)[0]) for line in lines]

    def key(self, options: dict[str, Any]) -> str:
        """A name for the packed images: another one when a file, its time or an option is another.

        Args:
            options: plain values that determine the bytes of an image.
        """
        layout = self.layout
        head = [options, layout.classes, layout.folders, layout.shares]
        digest = hashlib.blake2b(json.dumps(head, sort_keys=True).encode(), digest_size=16)
        for lines in self.lines:
            digest.update(os.fsencode(f"{len(lines)}{_END}{(2 * _END).join(lines)}"))
        for name in self._sample():
            digest.update(_first_bytes(layout.root / name))
        return digest.hexdigest()

    def ignored(self) -> str:
        """The files that are left out, in words; "" for none."""
        words = [f"{self.hidden:,} hidden"] if self.hidden else []
        if self.others:
            words.append(f"{len(self.others):,} other{'s' * (len(self.others) > 1)} such as {self.others[0]}")
        return " and ".join(words)

    def _sample(self) -> Iterator[str]:
        """The names of some images, evenly spaced."""
        every, number = max(1, len(self) // _SAMPLED), 0
        for (folder, _), lines in zip(self.layout.class_folders(), self.lines, strict=True):
            for line in lines[-number % every :: every]:
                yield join(folder, line.partition(_END)[0])
            number += len(lines)


def list_files(layout: Layout) -> Listing:
    """All images of a dataset, in the order of splits, classes and names.

    Args:
        layout: of the dataset.

    Raises:
        DataError: when a folder cannot be read, or there is no image.
    """
    listing = Listing(layout)
    tops = {""} if layout.folders is None else {"", *layout.folders.values()}
    for top in sorted(tops.difference(folder for folder, _ in layout.class_folders())):
        _note_strays(listing, top)
    for folder, _ in layout.class_folders():
        lines: list[str] = []
        if (layout.root / folder).is_dir():  # validation and test may lack a class
            _walk(listing, folder, "", lines, ())
        listing.lines.append(sorted(lines))
    if not len(listing):
        ignored = listing.ignored()
        raise DataError(
            f"dataset.root={layout.root}: expected images, got {ignored and f'{ignored} in '}class folders without any"
        )
    return listing


def first_images(layout: Layout) -> Iterator[Path]:
    """The images of the first class folder that has some, in the order of their names, read when asked for.

    Args:
        layout: of the dataset.
    """
    for folder, _ in layout.class_folders():
        lines: list[str] = []
        if (layout.root / folder).is_dir():
            _walk(Listing(layout), folder, "", lines, ())
        yield from (layout.root / folder / line.partition(_END)[0] for line in sorted(lines))


@cache
def endings() -> frozenset[str]:
    """The endings of files that Pillow decodes, in lower case."""
    from PIL import Image, ImageFile

    formats = set()
    for ending, registered in Image.registered_extensions().items():
        name = _BY_ANOTHER.get(registered, registered)
        if name in Image.OPEN and name not in _NOT_DECODED:
            factory = Image.OPEN[name][0]
            if not (isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile)):
                formats.add(ending)
    return frozenset(formats)


def _walk(listing: Listing, folder: str, below: str, lines: list[str], above: tuple[str, ...]) -> None:
    """Add the images of a class folder, or of a folder below it, to `lines`."""
    known, inside = endings(), []
    path = listing.layout.root / folder / below
    try:
        with _open_folder(path) as opened, os.scandir(opened) as entries:
            for entry in entries:
                name = entry.name
                if name[0] == ".":
                    listing.hidden += 1
                elif is_folder(entry, path):
                    inside.append(name)
                elif name[name.rfind(".") :].lower() in known and (found := _size_and_time(entry)):
                    lines.append(f"{below}{name}{_END}{found[0]}{_END}{found[1]}")
                else:
                    listing.others.append(join(folder, f"{below}{name}"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if inside:
        above = (*above, os.path.realpath(path))
        for name in sorted(inside):
            if os.path.realpath(path / name) not in above:  # no link to a folder above
                _walk(listing, folder, f"{below}{name}/", lines, above)


def _size_and_time(entry: "os.DirEntry[str]") -> tuple[int, int] | None:
    """Bytes of a file and the time of its last change in ns; None for one that is not to be opened."""
    try:
        state = entry.stat()
    except OSError as error:  # a link to nowhere: decoding says so
        return None if error.errno == errno.ELOOP else (-1, 0)
    # Opening a pipe would wait for its writer.
    return (state.st_size, state.st_mtime_ns) if stat.S_ISREG(state.st_mode) else None


@contextlib.contextmanager
def _open_folder(path: Path) -> Iterator[int | str]:
    """A folder as `os.scandir` takes it: opened where it can be, which makes the files in it faster to find."""
    if os.scandir not in os.supports_fd:  # Windows
        yield str(path)
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _note_strays(listing: Listing, top: str) -> None:
    """Count the files beside the folders of splits and classes, images too: they have no class."""
    folder = listing.layout.root / top
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    listing.hidden += 1
                elif not is_folder(entry, folder):
                    listing.others.append("/".join(filter(None, (top, entry.name))))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_SAMPLE_BYTES)
    except OSError:
        return b""
