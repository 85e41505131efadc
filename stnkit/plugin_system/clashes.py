"""Clashes: names that two distributions provide, or one of them twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stnkit.listed import listed
from stnkit.plugin_system.discovery import Source

# Names that one sentence lists.
LISTED = 5


@dataclass(frozen=True)
class Clash:
    """A component, a command or a logger that is provided more than once.

    Args:
        what: the kind and the name.
        sources: two or more.
    """

    what: str
    sources: Sequence[Source]

    @property
    def distributions(self) -> tuple[str, ...]:
        """The distributions that provide it, with their versions."""
        return tuple(dict.fromkeys(f"{source.distribution} {source.version}" for source in self.sources))


def provided_twice(what: str, sources: Sequence[Source]) -> str:
    """The sentence for a component, a command or a logger that two distributions provide, or one of them twice.

    Args:
        what: the kind and the name.
        sources: two or more.
    """
    different = list(dict.fromkeys(map(str, sources)))
    if len(different) == 1:
        return f"{what} is provided twice by {different[0]}, which must give one of the two another name"
    return f"{what} is provided twice, by {' and '.join(different)}: uninstall or block one of them"


def sentences_of(clashes: Iterable[Clash]) -> list[str]:
    """One sentence for all names that the same distributions provide.

    Args:
        clashes: of any distributions.
    """
    groups: dict[tuple[str, ...], list[Clash]] = {}
    for clash in clashes:
        groups.setdefault(clash.distributions, []).append(clash)
    return [_of_group(distributions, group) for distributions, group in groups.items()]


def _of_group(distributions: tuple[str, ...], group: list[Clash]) -> str:
    if len(group) == 1:
        return provided_twice(group[0].what, group[0].sources)
    names = listed([clash.what for clash in group], LISTED)
    if len(distributions) == 1:
        return f"{names} are provided twice by {distributions[0]}, which must give one of each two another name"
    return f"{names} are provided twice, by {' and '.join(distributions)}: uninstall or block one of them"
