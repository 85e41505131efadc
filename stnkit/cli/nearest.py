"""The names that a misspelled name may stand for."""

import difflib
from collections.abc import Iterable

# Of difflib; below it, short words suggest names that have nothing to do with them.
CUTOFF = 0.7
SUGGESTED = 3


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """The question `did you mean NAME?`, or an empty text where no name is near.

    A dotted name is near if it is, or if its last part is; an equal last part comes before all that are only similar,
    and so do initials, as `lr` of `learning_rate`.

    Args:
        word: perhaps misspelled.
        names: that exist.

    Example:
        >>> did_you_mean("patience", ["training", "training.patience", "training.epochs"])
        'did you mean training.patience?'
    """
    by_word: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        for text in dict.fromkeys((name, name.rpartition(".")[2])):
            by_word.setdefault(text, []).append(name)
    texts = (word, word.rpartition(".")[2])
    near = next((by_word[text] for text in texts if text in by_word), [])
    if not near:
        alike = (of for text, of in by_word.items() if "_" in text and _initials(text) == texts[1])
        near = next(alike, [])
    if not near:
        close = difflib.get_close_matches(word, by_word, n=1, cutoff=CUTOFF)
        near = [name for text in close for name in by_word[text]]
    return f"did you mean {' or '.join(near[:SUGGESTED])}?" if near else ""


def _initials(name: str) -> str:
    return "".join(part[:1] for part in name.rpartition(".")[2].split("_"))
