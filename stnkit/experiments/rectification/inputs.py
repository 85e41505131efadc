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


@dataclass(frozen=True)
class Inputs:
    """The files of a command line.

    Args:
        files: to rectify, sorted by name.
        others: files of the folders that are left out: their names do not end as those of images or arrays, or they are
            no files but pipes or links to nowhere. Hidden ones are not among them.
    """

    files: list[Input]
    others: list[Path]


def find_inputs(paths: Sequence[Path], output: Path) -> Inputs:
    """The images (by the ending of their names) and arrays of folders and below, and files that are named themselves.

    Args:
        paths: of folders and files.
        output: the folder of the results.

    Raises:
        InputError: when one does not exist, is no image or has none, two have the same name, or the output folder is
            one of them, or inside or above one.
    """
    found: list[Input] = []
    others: list[Path] = []
    for path in paths:
        if path.is_dir():
            _check_apart(path, output)
            inside = _images_below(path)
            if not inside.files:
                told = f": {left_out(inside.others)}" if inside.others else ""
                raise InputError(f"expected images or arrays ({ARRAY}), got the folder {path} without any{told}")
            found += inside.files
            others += inside.others
        elif path.is_file():
            _check_apart(path.parent, output, inside=False)
            _check_kind(path)
            found.append(Input(path.name, path))
        else:
            raise InputError(f"expected an image, an array ({ARRAY}) or a folder of these, got {path}, which is none")
    by_name: dict[str, Path] = {}
    for each in found:
        other = by_name.setdefault(each.name, each.path)
        if other != each.path and not _are_one(other, each.path):
            raise InputError(f"expected one file for each name of a result, got {other} and {each.path}")
    files = [Input(name, path, _state(path)) for name, path in sorted(by_name.items())]
    # A file may be named itself, and a folder in two ways.
    rectified = {os.path.realpath(path) for path in by_name.values()}
    left = {os.path.realpath(path): path for path in reversed(others)}
    return Inputs(files, [path for real, path in left.items() if real not in rectified][::-1])


def left_out(others: Sequence[Path]) -> str:
    """The files that are left out, in words.

    Args:
        others: of `Inputs`, at least one.

    Example:
        >>> from pathlib import Path
        >>> from stnkit.experiments.rectification.inputs import left_out
        >>> left_out([Path("photos/a.heic")])
        'left out 1 other file, such as photos/a.heic'
    """
    n = len(others)
    return f"left out {n:,} other file{'s' * (n != 1)}, such as {others[0]}"


def _are_one(path: Path, other: Path) -> bool:
    return os.path.realpath(path) == os.path.realpath(other)


def _state(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_size, found.st_mtime_ns


def _images_below(root: Path) -> Inputs:
    found, others = [], []
    for folder, inside, names in os.walk(root):
        inside[:] = sorted(name for name in inside if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            path = Path(folder, name)
            if path.suffix.lower() in {*endings(), ARRAY} and path.is_file():
                found.append(Input(path.relative_to(root).as_posix(), path))
            else:
                others.append(path)
    return Inputs(found, others)


def _check_kind(path: Path) -> None:
    """Refuse a named file that is no image by its name and by its first bytes."""
    if path.suffix.lower() in {*endings(), ARRAY}:
        return
    try:
        with quiet_pillow(), Image.open(path):
            pass
    except UnidentifiedImageError:
        raise InputError(f"expected an image or an array ({ARRAY}), got {path}, in which Pillow finds none") from None
    except Exception:  # an image that cannot be read: its row has the reason
        return


def _check_apart(folder: Path, output: Path, *, inside: bool = True) -> None:
    source, target = Path(os.path.realpath(folder)), Path(os.path.realpath(output))
    if source.is_relative_to(target) or (inside and target.is_relative_to(source)):
        relation = "the same" if source == target else "around it" if source.is_relative_to(target) else "inside of it"
        raise InputError(f"output: expected a folder apart from the input {folder}, got {output}, {relation}")
