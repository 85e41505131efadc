"""Whole files: one or several that are written whole, or not at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write that takes the place of `path` at the end of the context, and is removed by an error.

    Args:
        path: of the result.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def all_or_none(folder: Path) -> Iterator[list[str]]:
    """A list to add the names of files to that have been written; an error removes these files.

    Args:
        folder: of the names; an empty name is that of no file.
    """
    written: list[str] = []
    try:
        yield written
    except BaseException:
        for name in filter(None, written):
            (folder / name).unlink(missing_ok=True)
        raise
