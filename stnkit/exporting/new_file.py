"""Files that appear whole or not at all."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from stnkit.errors import InputError


def check_new(path: Path) -> None:
    """Raise an InputError unless a file can be written: its folder exists, and nothing has its name.

    Args:
        path: of the file.

    Raises:
        InputError: when the folder does not exist, or something is there already.
    """
    if not path.name:  # the working folder, or the root
        raise InputError(f"{path}: expected the name of a new file, got a folder")
    if not path.parent.is_dir():
        raise InputError(f"{path}: expected a file in a folder that exists, got {path.parent}")
    if path.exists() or path.is_symlink():
        raise InputError(f"{path}: expected the name of a new file, got one that exists")


@contextlib.contextmanager
def new_files(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Temporary names of new files, which get their own names in the end; after an error nothing is left.

    Args:
        paths: of the files, in one folder.

    Raises:
        InputError: as `check_new`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from stnkit.exporting.new_file import new_files
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with new_files(Path(folder, "a.txt")) as (temporary,):
        ...         _ = temporary.write_text("whole")
        ...     [path.name for path in Path(folder).iterdir()]
        ['a.txt']
    """
    for path in paths:
        check_new(path)
    # In the folder of the file: a file system is not left by a change of name.
    with tempfile.TemporaryDirectory(prefix=f".{paths[0].name}-", dir=paths[0].parent) as folder:
        temporary = tuple(Path(folder, path.name) for path in paths)
        yield temporary
        for path, made in zip(paths, temporary, strict=True):
            check_new(path)
            made.rename(path)
