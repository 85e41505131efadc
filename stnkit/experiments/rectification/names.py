"""Names of results: those of the inputs, and of the files beside them, so that no two of them meet."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from stnkit.errors import InputError
from stnkit.experiments.rectification.inputs import ARRAY
from stnkit.experiments.rectification.table import TABLES

MAPS, OVERLAYS = "maps", "overlay"
_NONE: Mapping[str, str] = MappingProxyType({})


def overlay_of(name: str) -> str:
    """The name of the picture with the grid: a.png has overlay/a.png, and a.jpg has overlay/a.jpg.png.

    Args:
        name: of a result.
    """
    return f"{OVERLAYS}/{name}" if name.lower().endswith(".png") else f"{OVERLAYS}/{name}.png"


def map_of(name: str) -> str:
    """The name of the array of pixels that a result is read from.

    Args:
        name: of the result.
    """
    return f"{MAPS}/{name}.npy"


def numbered(name: str, number: int) -> str:
    """A name with a number before its ending: a/b.png with 1 is a/b.1.png.

    Args:
        name: of a file.
        number: at least 0.
    """
    path = Path(name)
    return path.with_name(f"{path.stem}.{number}{path.suffix}").as_posix()


def names_of_results(name: str, n_transformers: int) -> list[str]:
    """The names of the results of an input: its own, or one for each of several transformers.

    Args:
        name: of the input.
        n_transformers: number of transformers.
    """
    return [numbered(name, number) for number in range(n_transformers)] if n_transformers > 1 else [name]


def taken_names(
    names: Iterable[str],
    written: Mapping[str, str] = _NONE,
    *,
    n_transformers: int = 1,
    maps: bool = False,
    overlay: bool = False,
) -> Mapping[str, str]:
    """Names of files ↦ their inputs: of results, which are named after these, of what is beside them, and of tables.

    A result in another format gets another name when it is written: the format of the input is not known before.

    Args:
        names: of the inputs.
        written: names of files that are there already ↦ their inputs.
        n_transformers: number of transformers.
        maps: True if maps are written.
        overlay: True if overlays are written.

    Raises:
        InputError: when two files would have the same name.

    Example:
        >>> from stnkit.experiments.rectification.names import taken_names
        >>> taken = taken_names(["a.jpg", "b.png"], {"c.gif.png": "c.gif"}, overlay=True)
        >>> taken["b.png"], taken["overlay/a.jpg.png"], taken["c.gif.png"]
        ('b.png', 'a.jpg', 'c.gif')
    """
    names = sorted(set(names))
    taken = dict.fromkeys(TABLES, "the table")
    results = [(made, name) for name in names for made in names_of_results(name, n_transformers)]
    files = [*results]
    # Those of an array are numbered, and known when it is read.
    images = [(made, name) for made, name in results if not name.lower().endswith(ARRAY)]
    files += [(map_of(made), name) for made, name in images if maps]
    files += [(overlay_of(made), name) for made, name in images if overlay]
    own = set(files)
    for made, name in [*files, *(each for each in written.items() if each not in own)]:
        if made in taken:
            raise InputError(
                f"expected one file for each name of a result, got two for {made}: of {taken[made]} and of {name}"
            )
        taken[made] = name
    return taken
