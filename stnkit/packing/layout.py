"""Layout: the folders of the splits and the classes, found without reading a file."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from stnkit.errors import DataError, InputError
from stnkit.shares import SPLITS, Shares, checked_shares

_ALSO = {"validation": "val"}
_NO_LABELS = ("",)
_FOLDERS = "expected the folders train, validation (or val) and test"


@dataclass(frozen=True)
class Layout:
    """The folders of a dataset.

    Args:
        root: the folder above all.
        classes: names of the classes, in the order of their labels; one empty name for images without labels.
        folders: by split, the name of its folder; None for one tree, whose files are split by their names.
        shares: of the splits of one tree.
    """

    root: Path
    classes: tuple[str, ...]
    folders: dict[str, str] | None = None
    shares: Shares | None = None

    def class_folders(self) -> list[tuple[str, int]]:
        """The folders that have images, by their names below the root, and the label of each."""
        if self.folders is None:
            return [(name, label) for label, name in enumerate(self.classes)]
        return [
            (f"{folder}/{name}".rstrip("/"), label)
            for folder in self.folders.values()
            for label, name in enumerate(self.classes)
        ]


def find_layout(root: Path, split: list[float] | None, *, labels: bool = True) -> Layout:
    """The layout of a folder of images.

    Args:
        root: of the dataset.
        split: shares of train, validation and test for one tree of class folders; None for a folder for each.
        labels: False if folders are no classes.

    Raises:
        InputError: when `split` is not three positive numbers with a sum of 1.
        DataError: when a folder is missing, there are fewer than two classes, or a class is not in train.
    """
    shares = None if split is None else checked_shares(split)
    inside = subfolders(root, f"dataset.root={root}")
    own = [name for name in inside if name in (*SPLITS, *_ALSO.values())]
    missing = [name for name in SPLITS if not {name, _ALSO.get(name)} & set(own)]
    if shares is not None:
        if len(missing) <= 1:  # they would be taken for classes
            raise InputError(f"dataset.split: expected null for the folders {', '.join(own)} of {root}, got {split}")
        return Layout(root, _classes(root, inside) if labels else _NO_LABELS, shares=shares)
    if missing:
        raise DataError(f"dataset.root={root}: {_without(missing, own, inside, labels=labels)}")
    folders = {}
    for name in SPLITS:
        found = [folder for folder in (name, _ALSO.get(name)) if folder in own]
        if len(found) > 1:
            raise DataError(f"dataset.root={root}: expected one of {' and '.join(map(str, found))}, got both")
        folders[name] = str(found[0])
    if not labels:
        return Layout(root, _NO_LABELS, folders)
    classes = _classes(root / folders["train"], subfolders(root / folders["train"]))
    for folder in list(folders.values())[1:]:
        unknown = sorted(set(subfolders(root / folder)) - set(classes))
        if unknown:
            raise DataError(
                f"{root / folder}: expected the classes of {root / folders['train']}, got also {', '.join(unknown)}"
            )
    return Layout(root, classes, folders)


def subfolders(folder: Path, label: str | None = None) -> list[str]:
    """The names of the folders in a folder that are not hidden, sorted.

    Args:
        folder: that is read.
        label: its name in messages.

    Raises:
        DataError: when it is not there or cannot be read.
    """
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if entry.name[0] != "." and is_folder(entry, folder))
    except FileNotFoundError:
        raise DataError(f"{label or folder}: that folder does not exist; dataset.root=DIR chooses one") from None
    except OSError as error:
        raise DataError(f"{label or folder} cannot be read as a folder: {error.strerror}") from error


def is_folder(entry: "os.DirEntry[str]", above: Path) -> bool:
    """True for a folder and for a link to one; a link that leads to itself is none.

    Args:
        entry: of the folder `above`.
        above: its folder.

    Raises:
        DataError: when the system does not tell.
    """
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise DataError(f"{above / entry.name} cannot be read: {error.strerror}") from error


def _without(missing: list[str], own: list[str], inside: list[str], *, labels: bool) -> str:
    """The message for a root that lacks folders of splits: class folders alone need shares."""
    listed = ", ".join(inside[:5]) + ", …" * (len(inside) > 5)
    if len(own) > 1 or own == inside != []:
        return f"{_FOLDERS}, got {listed}: there is no {' and no '.join(missing)}"
    beside = "class folders and " if labels else ""
    return f"{_FOLDERS}, or {beside}dataset.split=[0.8,0.1,0.1], got {listed or 'no folders'}"


def _classes(folder: Path, names: list[str]) -> tuple[str, ...]:
    if len(names) < 2:
        raise DataError(
            f"{folder}: expected a folder for each of at least two classes, or dataset.labels=false, "
            f"got {names[0] if names else 'no folders'}"
        )
    return tuple(names)
