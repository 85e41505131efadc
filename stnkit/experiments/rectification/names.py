"""Names of results: those of the inputs, and of the files beside them, so that no two of them meet."""

from collections.abc import Iterable

from stnkit.errors import InputError
from stnkit.experiments.rectification.table import TABLES

MAPS, OVERLAYS = "maps", "overlay"


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


def taken_names(names: Iterable[str], *, maps: bool = False, overlay: bool = False) -> frozenset[str]:
    """The names of all files that are written: results, which have those of their inputs, and what is beside them.

    A result that becomes a PNG gets another name when it is written: its format is not known before.

    Args:
        names: of the inputs.
        maps: True if maps are written.
        overlay: True if overlays are written.

    Raises:
        InputError: when two files would have the same name.

    Example:
        >>> from stnkit.experiments.rectification.names import taken_names
        >>> sorted(taken_names(["a.jpg", "b.png"], overlay=True) - {"theta.csv", "theta.json"})
        ['a.jpg', 'b.png', 'overlay/a.jpg.png', 'overlay/b.png']
    """
    names = sorted(set(names))
    taken = dict.fromkeys(TABLES, "the table")
    files = [(name, name) for name in names]
    files += [(map_of(name), name) for name in names if maps]
    files += [(overlay_of(name), name) for name in names if overlay]
    for made, name in files:
        if made in taken:
            raise InputError(
                f"expected one file for each name of a result, got two for {made}: of {taken[made]} and of {name}"
            )
        taken[made] = name
    return frozenset(taken)
