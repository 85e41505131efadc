"""`stnkit plugins`: what is installed, what it does, whether it keeps its contract, and how to write one's own."""

import importlib

from stnkit.errors import InputError

# Subcommand: module, one line of help. A module has `main(arguments) -> exit code`.
SUBCOMMANDS = {
    "list": ("stnkit.cli.plugins.list", "every installed component, and broken plugins with the reason"),
    "show": ("stnkit.cli.plugins.show", "one component: docstring, options, an example, where it comes from"),
    "check": ("stnkit.cli.plugins.check", "run the conformance checks on a component"),
    "new": ("stnkit.cli.plugins.new", "write an installable package with a component of your own"),
}


def usage() -> str:
    """What `stnkit plugins --help` prints."""
    width = max(map(len, SUBCOMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {text}" for name, (_, text) in SUBCOMMANDS.items())
    return (
        "usage: stnkit plugins [SUBCOMMAND] [ARGUMENT ...]\n\n"
        f"{lines}\n\n"
        "Without a subcommand it is `list`. `stnkit plugins SUBCOMMAND --help` tells more."
    )


def main(arguments: list[str]) -> int:
    """Run a subcommand and return its exit code.

    Args:
        arguments: what stands after the command.

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
