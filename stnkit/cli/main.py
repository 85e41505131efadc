"""`stnkit COMMAND …`: run a command, and print a user's mistake as one sentence."""

import importlib
import io
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stnkit.cli.collector import collect_rarely
from stnkit.warning_lines import show_warnings_in_one_line

if TYPE_CHECKING:
    from stnkit.plugin_system import Source

# Command: its module, which has `main(arguments) -> exit code`, and one line of help.
COMMANDS = {
    "train": ("stnkit.cli.train", "train a network with a spatial transformer (a Hydra program)"),
    "evaluate": ("stnkit.cli.evaluate", "print the test figures of a trained run again, or on other data"),
    "report": ("stnkit.cli.report", "print one table of any number of runs, or write a page with pictures"),
    "plugins": ("stnkit.cli.plugins", "list, show and check the installed components; write a package for a new one"),
    "apply": ("stnkit.cli.apply", "straighten images with the transformer of a trained run"),
    "export": ("stnkit.cli.export", "write a trained network as ONNX or for PyTorch, or check such a file in runtimes"),
    "cache": ("stnkit.cli.cache", "list the packed images on this machine, or remove them"),
    "completion": ("stnkit.cli.completion", "print the Tab completion script of a shell: bash or zsh"),
}
USAGE_ERROR = 2
INTERRUPTED = 130
READER_GONE = 141  # what a shell shows for SIGPIPE


def usage() -> str:
    """The text of `stnkit --help`. Commands of plugins come from their entry points; no plugin is imported."""
    lines = {command: text for command, (_, text) in COMMANDS.items()} | {
        command: f"from {' and '.join(f'{source.distribution} {source.version}' for source in sources)}"
        for command, sources in _announced().items()
    }
    width = max(map(len, lines))
    commands = "\n".join(f"  {command:<{width}}  {text}" for command, text in lines.items())
    return (
        "usage: stnkit COMMAND [ARGUMENT ...]\n\n"
        "A plugin framework for spatial transformers.\n\n"
        f"{commands}\n\n"
        "`stnkit COMMAND --help` describes a command. `stnkit --version` prints the version, and if warps are native."
    )


def main(arguments: list[str]) -> int:
    """Run a command and return its exit code: 0, 1 for a failure, 2 for a user's mistake, 130 for Ctrl-C.

    Args:
        arguments: those after `stnkit`.
    """
    command = arguments[0] if arguments else ""
    if command in ("", "-h", "--help", "help"):
        print(usage())
        return 0 if command else USAGE_ERROR
    if command == "--version":
        from importlib.metadata import version

        from stnkit.native import status

        print(f"{version('stnkit')}\n{status()}")
        return 0
    if command not in COMMANDS and command not in _announced():
        print(
            f"stnkit: there is no command {command!r}; the commands are {', '.join([*COMMANDS, *_announced()])}",
            file=sys.stderr,
        )
        return USAGE_ERROR
    from stnkit.cli.torchvision_build import torchvision_build_explained
    from stnkit.errors import StnkitError, one_line

    show_warnings_in_one_line()
    try:
        with torchvision_build_explained():
            return _program(command)(arguments[1:])
    except BrokenPipeError:
        raise
    except (StnkitError, OSError) as error:
        unexplained = isinstance(error, OSError) and error.strerror is None
        print(f"stnkit {command}: {one_line(error) if unexplained else error}", file=sys.stderr)
        return USAGE_ERROR
    except SystemExit as end:  # from --help of argparse and of Hydra
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        print(f"stnkit {command}: interrupted", file=sys.stderr)
        return INTERRUPTED


def entry() -> None:
    """The console script: `main`, and the answer where standard output cannot be written."""
    collect_rarely()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files need not be text
    try:
        code = main(sys.argv[1:])
        sys.stdout.flush()
    except OSError as error:
        # What is still in the buffer would fail again, with a traceback, when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = READER_GONE
        if not isinstance(error, BrokenPipeError):
            print(f"stnkit: standard output: {error.strerror}", file=sys.stderr)
            code = USAGE_ERROR
    sys.exit(code)


def _program(command: str) -> Callable[[list[str]], int]:
    """The function that runs a command, one of stnkit's own or of a plugin."""
    if command in COMMANDS:
        program: Callable[[list[str]], int] = importlib.import_module(COMMANDS[command][0]).main
        return program
    return lambda arguments: _run_of_plugin(command, arguments)


def _run_of_plugin(command: str, arguments: list[str]) -> int:
    from stnkit.errors import PluginError
    from stnkit.plugin_system import command_named

    code: Any = command_named(command).run(arguments)
    if code is not None and not isinstance(code, int):
        raise PluginError(f"expected an exit code from its function, 0, 1 or 2, got {code!r}")
    return int(code or 0)


def _announced() -> "dict[str, list[Source]]":
    from stnkit.plugin_system import announced_commands

    return {command: sources for command, sources in announced_commands().items() if command not in COMMANDS}
