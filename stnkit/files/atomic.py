"""Whole files: one or several that are written whole, or not at all.

They have the rights that the process gives to new files.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write that takes the place of `path` at the end of the context, and is removed by an error.

    One process writes it: the next one takes what a process has left that was killed.

    Args:
        path: of the result.

    Example:
        >>> import tempfile
        >>> from stnkit.files.atomic import whole_file
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_file(Path(folder, "a.txt")) as part:
        ...         _ = part.write_text("whole")
        ...     [path.name for path in Path(folder).iterdir()]
        ['a.txt']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write under a temporary name in the same folder, then rename: a reader sees the old or the new file.

    Several processes may write it: each has a name of its own, that of the file between a dot and a random ending.

    Args:
        path: of the file.
        content: its new one, a text or bytes.
    """
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with temporary.open("x" if isinstance(content, str) else "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise


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
