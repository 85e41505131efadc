"""`stnkit plugins`: list, show and check the installed components, and write a package with one of your own."""

import importlib
from collections.abc import Sequence

from stnkit.errors import InputError

# Subcommand: its module, which has `main(arguments) -> exit code`, and one line of help.
SUBCOMMANDS = {
    "list": ("stnkit.cli.plugins.list", "list every installed component, and broken plugins with the reason"),
    "show": (
        "stnkit.cli.plugins.show",
        "show one component, or an option of stnkit train: docstring, options, an example",
    ),
    "check": ("stnkit.cli.plugins.check", "run the conformance checks on a component"),
    "new": ("stnkit.cli.plugins.new", "write an installable package with a component of your own"),
}


def usage() -> str:
    """The text of `stnkit plugins --help`."""
    width = max(map(len, SUBCOMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in SUBCOMMANDS.items())
    return (
        "usage: stnkit plugins [SUBCOMMAND] [ARGUMENT ...]\n\n"
        f"{lines}\n\n"
        "The default subcommand is `list`. `stnkit plugins SUBCOMMAND --help` describes a subcommand."
    )


def main(arguments: Sequence[str]) -> int:  # `list` is a module of this package once it is imported
    """Run a subcommand and return its exit code.

    Args:
        arguments: those after the command.

    Raises:
        InputError: when there is no such subcommand.
    """
    if arguments[:1] in (["-h"], ["--help"]):
        print(usage())
        return 0
    if not arguments or arguments[0].startswith("-"):
        arguments = ["list", *arguments]
    subcommand, *rest = arguments
    if subcommand not in SUBCOMMANDS:
        raise InputError(f"there is no subcommand {subcommand!r}; the subcommands are {', '.join(SUBCOMMANDS)}")
    code: int = importlib.import_module(SUBCOMMANDS[subcommand][0]).main(rest)
    return code
