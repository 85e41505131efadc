"""Lists of names in messages."""

from collections.abc import Sequence

# Number of names that a message lists.
LISTED = 3


def listed(names: Sequence[str]) -> str:
    """The first three names, and the number of all others.

    Args:
        names: of weights or options.
    """
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
