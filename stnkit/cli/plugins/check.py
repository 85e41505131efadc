"""`stnkit plugins check`: run the conformance checks on an installed component."""

import collections
from typing import Any

from hydra.errors import HydraException
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stnkit import testing
from stnkit.cli.hydra_internals import parse_override
from stnkit.cli.parser import Parser
from stnkit.errors import InputError
from stnkit.plugin_system import KINDS, plugin_registry, validate_options
from stnkit.testing import CheckResults

FAILURE = 1
STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim", "expected_failure": "yellow"}


def main(arguments: list[str]) -> int:
    """Print a table of the checks and return the exit code: 0, or 1 when a check failed.

    Args:
        arguments: those after the subcommand.

    Raises:
        StnkitError: when there is no such component, or it cannot be built.
    """
    parser = Parser(
        prog="stnkit plugins check",
        usage="%(prog)s [-h] [--compile] [KIND] NAME [OPTION=VALUE ...]",
        description=__doc__,
    )
    parser.add_argument("words", nargs="+", metavar="[KIND] NAME [OPTION=VALUE]", help="as in stnkit train")
    parser.add_argument("--compile", action="store_true", help="also check under torch.compile, which takes a minute")
    given = parser.parse_intermixed_args(arguments)
    kind, name = _component([word for word in given.words if "=" not in word])
    options = _options([word for word in given.words if "=" in word])

    validate_options(plugin_registry().component(kind, name), options)  # a mistake in them is not a failed check
    results = testing.run(f"{kind}.{name}", compile=given.compile, **options)
    _print_table(results)
    return 0 if results.ok else FAILURE


def _component(words: list[str]) -> tuple[str, str]:
    """Kind and name, from `KIND NAME`, from `KIND.NAME`, or from a name that only one kind has."""
    if len(words) == 1 and words[0].partition(".")[0] in KINDS:
        words = words[0].split(".", 1)
    if len(words) == 2 and any(plugin_registry().providers(kind, words[0]) for kind in KINDS):
        raise InputError(f"expected [KIND] NAME [OPTION=VALUE ...], got {' '.join(words)}")
    if len(words) == 2:
        plugin_registry().component(*words)  # raises, with the names that exist
        return words[0], words[1]
    if len(words) != 1:
        raise InputError(f"expected a component as NAME or KIND NAME, got {' '.join(words) or 'none'}")
    (name,) = words
    kinds = [kind for kind in KINDS if plugin_registry().providers(kind, name)]
    if len(kinds) == 1:
        plugin_registry().component(kinds[0], name)
        return kinds[0], name
    if kinds:
        raise InputError(f"{name!r} is a {' and a '.join(kinds)}: name the kind too, as in `{kinds[0]} {name}`")
    raise InputError(_unknown(name))


def _unknown(name: str) -> str:
    broken = [b for b in plugin_registry().broken if b.source.entry_point.partition(".")[2] == name]
    if broken:
        return f"{broken[0].source.entry_point} of {broken[0].source} is broken: {broken[0].reason}"
    names = "; ".join(f"{kind}: {', '.join(plugin_registry().names(kind)) or 'none'}" for kind in KINDS)
    return f"there is no component {name!r}; the components are {names}"


def _options(words: list[str]) -> dict[str, Any]:
    """Options, parsed by the grammar of `stnkit train`, so that values are written the same way in both."""
    options = {}
    for word in words:
        try:
            name, value = parse_override(word)
        except HydraException as error:
            raise InputError(f"{word} cannot be parsed: {str(error).splitlines()[0]}") from error
        options[name] = value
    return options


def _print_table(results: CheckResults) -> None:
    console = Console()
    if console.is_terminal:
        table = Table("check", "outcome", "reason", box=box.SIMPLE_HEAD)
        for result in results.results:
            outcome = Text(_readable(result.outcome), style=STYLES.get(result.outcome, "bold red"))
            table.add_row(result.name, outcome, Text(result.reason))
        console.print(table)
    else:
        width = max(len(result.name) for result in results.results)
        for result in results.results:
            print(f"{result.name:<{width}}  {_readable(result.outcome):<16}  {result.reason}".rstrip())
    counts = collections.Counter(_readable(result.outcome) for result in results.results)
    print(f"{results.component}: {', '.join(f'{n} {outcome}' for outcome, n in counts.items())}")


def _readable(outcome: str) -> str:
    return outcome.replace("_", " ")
