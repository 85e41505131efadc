"""Lists in messages that name the first few."""

from collections.abc import Sequence


def listed(names: Sequence[str], n: int = 3, separator: str = ", ") -> str:
    """The first n names, and the number of all others.

    Args:
        names: such as those of weights.
        n: how many are named.
        separator: between them.

    Example:
        >>> from stnkit.listed import listed
        >>> listed(["a", "b", "c", "d", "e"])
        'a, b, c and 2 more'
    """
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return separator.join(names[:n]) + more
