"""Names of components as the subcommands take them: `KIND NAME`, `KIND.NAME`, or a name that one kind has."""

from collections.abc import Iterable, Sequence

from stnkit.cli.nearest import did_you_mean
from stnkit.errors import InputError
from stnkit.listed import with_article
from stnkit.plugin_system import KINDS, kind_named, plugin_registry

USAGE = "[KIND] NAME"


def component_named(words: Sequence[str], usage: str = USAGE, options: Iterable[str] = ()) -> tuple[str, str]:
    """Kind and name of a component, which may be broken.

    Args:
        words: one or two.
        usage: of the subcommand, for the message.
        options: other words that the subcommand takes, for the message.

    Raises:
        InputError: when there is no such kind or name, or several kinds have it.
    """
    if len(words) == 1 and words[0].partition(".")[0] in KINDS and "." in words[0]:
        words = words[0].split(".", 1)
    if len(words) == 2 and kinds_of(words[0]):
        raise InputError(f"expected {usage}, got {' '.join(words)}")
    if len(words) == 2:
        return kind_named(words[0]).name, words[1]
    if len(words) != 1:
        raise InputError(f"expected a component as NAME or KIND NAME, got {' '.join(words) or 'none'}")
    (name,) = words
    kinds = kinds_of(name) or announced_kinds(name)
    if len(kinds) > 1:
        which = " and ".join(map(with_article, kinds))
        raise InputError(f"{name!r} is {which}: name the kind too, as in `{kinds[0]} {name}`")
    if not kinds:
        options = list(options)
        near = did_you_mean(name, [*(n for kind in KINDS for n in plugin_registry().names(kind)), *options])
        known = "`stnkit plugins list` shows the components" + ", and `stnkit train --help` the options" * bool(options)
        raise InputError(f"there is no component{' or option' * bool(options)} {name!r}; {near or known}")
    return kinds[0], name


def kinds_of(name: str) -> list[str]:
    """The kinds that have a component of that name.

    Args:
        name: perhaps of a component.
    """
    return [kind for kind in KINDS if plugin_registry().providers(kind, name)]


def announced_kinds(name: str) -> list[str]:
    """The kinds of broken plugins whose entry point announces that name.

    Args:
        name: perhaps of a component.
    """
    announced = {broken.source.entry_point for broken in plugin_registry().broken}
    return [kind for kind in KINDS if f"{kind}.{name}" in announced]
