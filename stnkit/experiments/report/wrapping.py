"""Lines of at most a given width. A key or a path is broken only where it is wider than a line, between its words."""

import re
from collections.abc import Iterable

from rich.cells import cell_len, chop_cells

# After a separator, or a dot that is not of a number.
_BREAK = re.compile(r"(?<=[_/=,+×·:;])(?=.)|(?<=\.)(?=[^\W\d])|(?<=[^\W\d]-)(?=\w)")


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text. A word is broken at a separator where it is wider than a line, else between letters.

    Args:
        text: of one or more lines; runs of blanks at a break are dropped.
        width: of a line, in columns of a terminal.
    """
    lines = []
    for line in text.split("\n"):
        words = re.split(r"(?<=\S) (?=\S)", line)
        lines += _filled([part for word in words for part in _fitting(word, width)], width)
    return lines


def narrowest(text: str) -> int:
    """The width of the widest part that `wrapped` does not break between letters.

    Args:
        text: of one or more lines.
    """
    return max(cell_len(part) for word in text.split() or [""] for part in _BREAK.split(word))


def _fitting(word: str, width: int) -> list[tuple[str, str]]:
    """The parts of a word that fit into a line, each with the text that joins it to what precedes it."""
    if cell_len(word) <= width:
        return [(" ", word)]
    parts = [piece for part in _BREAK.split(word) for piece in chop_cells(part, max(1, width))]
    return [("" if i else " ", part) for i, part in enumerate(parts)]


def _filled(parts: Iterable[tuple[str, str]], width: int) -> list[str]:
    lines: list[str] = []
    for joint, part in parts:
        if lines and cell_len(lines[-1] + joint + part) <= width:
            lines[-1] += joint + part
        else:
            lines.append(part)
    return lines
