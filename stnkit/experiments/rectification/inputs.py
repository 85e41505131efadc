"""Inputs: the images and arrays that a command line names, and the folder that takes the results."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from stnkit.errors import InputError
from stnkit.packing.decoding import quiet_pillow
from stnkit.packing.listing import endings

ARRAY = ".npy"


@dataclass(frozen=True)
class Input:
    """A file to rectify.

    Args:
        name: below the output folder, with forward slashes.
        path: of the file.
        state: bytes of the file and the time of its last change in ns when it was found, so before it is read; empty
            for one that is not there.
    """

    name: str
    path: Path
    state: tuple[int, ...] = ()

    @property
    def is_array(self) -> bool:
        """True for an array of images."""
        return self.path.suffix.lower() == ARRAY


def find_inputs(paths: Sequence[Path], output: Path) -> list[Input]:
    """The images (by the ending of their names) and arrays of folders and below, and files that are named themselves.

    Args:
        paths: of folders and files.
        output: the folder of the results.

    Raises:
        InputError: when one does not exist, is no image or has none, two have the same name, or the output folder is
            one of them, or inside or above one.
    """
    found: list[Input] = []
    for path in paths:
        if path.is_dir():
            _check_apart(path, output)
            inside = _images_below(path)
            if not inside:
                raise InputError(f"expected images or arrays ({ARRAY}), got the folder {path} without any")
            found += inside
        elif path.is_file():
            _check_apart(path.parent, output, inside=False)
            _check_kind(path)
            found.append(Input(path.name, path))
        else:
            raise InputError(f"expected an image, an array ({ARRAY}) or a folder of these, got {path}, which is none")
    by_name: dict[str, Path] = {}
    for each in found:
        other = by_name.setdefault(each.name, each.path)
        if other != each.path:
            raise InputError(f"expected one file for each name of a result, got {other} and {each.path}")
    return [Input(name, path, _state(path)) for name, path in sorted(by_name.items())]


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns


def _images_below(root: Path) -> list[Input]:
    found = []
    for folder, inside, names in os.walk(root):
        inside[:] = [name for name in inside if not name.startswith(".")]
        for name in names:
            path = Path(folder, name)
            if not name.startswith(".") and path.suffix.lower() in {*endings(), ARRAY} and path.is_file():
                found.append(Input(path.relative_to(root).as_posix(), path))
    return found


def _check_kind(path: Path) -> None:
    """Refuse a named file that is no image by its name and by its first bytes."""
    if path.suffix.lower() in {*endings(), ARRAY}:
        return
    try:
        with quiet_pillow(), Image.open(path):
            pass
    except UnidentifiedImageError:
        raise InputError(f"expected an image or an array ({ARRAY}), got {path}, in which Pillow finds none") from None


def _check_apart(folder: Path, output: Path, *, inside: bool = True) -> None:
    source, target = Path(os.path.realpath(folder)), Path(os.path.realpath(output))
    if source.is_relative_to(target) or (inside and target.is_relative_to(source)):
        relation = "the same" if source == target else "around it" if source.is_relative_to(target) else "inside of it"
        raise InputError(f"output: expected a folder apart from the input {folder}, got {output}, {relation}")
