"""`stnkit VERB …`: finds the verb, and says every user's mistake in one sentence."""

import importlib
import sys
import warnings
from typing import Any

# Verb: module, one line of help. A module has `main(arguments) -> exit code`.
VERBS = {
    "train": ("stnkit.cli.train", "train a network with a spatial transformer (a Hydra program)"),
    "report": ("stnkit.cli.report", "one table of any number of runs, as text, data, or a page with pictures"),
    "plugins": ("stnkit.cli.plugins", "list, show and check what is installed; write a package of your own"),
    "completion": ("stnkit.cli.completion", "print the Tab completion of a shell: bash or zsh"),
}
USAGE_ERROR = 2
INTERRUPTED = 130


def usage() -> str:
    """What `stnkit --help` prints."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {text}" for verb, (_, text) in VERBS.items())
    return (
        "usage: stnkit VERB [ARGUMENT ...]\n\n"
        "A plugin framework for spatial transformers.\n\n"
        f"{verbs}\n\n"
        "`stnkit VERB --help` tells more. `stnkit --version` prints the version."
    )


def main(arguments: list[str]) -> int:
    """Run a verb and return its exit code: 0, 1 for a failure, 2 for a user's mistake, 130 for Ctrl-C.

    Args:
        arguments: what stands after `stnkit`.
    """
    verb = arguments[0] if arguments else ""
    if verb in ("", "-h", "--help", "help"):
        print(usage())
        return 0 if verb else USAGE_ERROR
    if verb == "--version":
        from importlib.metadata import version

        print(version("stnkit"))
        return 0
    if verb not in VERBS:
        print(f"stnkit: there is no verb {verb!r}; the verbs are {', '.join(VERBS)}", file=sys.stderr)
        return USAGE_ERROR
    from stnkit.errors import StnkitError

    warnings.showwarning = _show_in_one_line
    try:
        code: int = importlib.import_module(VERBS[verb][0]).main(arguments[1:])
    except (StnkitError, OSError) as error:
        print(f"stnkit {verb}: {error}", file=sys.stderr)
        return USAGE_ERROR
    except SystemExit as end:  # argparse and Hydra's help end so
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        print(f"stnkit {verb}: interrupted", file=sys.stderr)
        return INTERRUPTED
    return code


def entry() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


def _show_in_one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: Any = None,
) -> None:
    print(f"warning: {message}", file=sys.stderr)


if __name__ == "__main__":
    entry()
