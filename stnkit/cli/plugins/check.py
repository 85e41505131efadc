"""`stnkit plugins check`: run the conformance checks on an installed component."""

import collections
import contextlib
import faulthandler
from collections.abc import Mapping
from typing import Any

from hydra.errors import HydraException
from rich.console import Console
from rich.text import Text

from stnkit import testing
from stnkit.cli.hydra_internals import parse_override
from stnkit.cli.parser import Parser
from stnkit.cli.plugins.naming import component_named
from stnkit.errors import InputError, first_line
from stnkit.plugin_system import plugin_registry, validate_options
from stnkit.testing import CheckResults
from stnkit.testing.check_results import result_of
from stnkit.testing.checks import Check, check_names
from stnkit.testing.component_under_test import component_under_test

FAILURE = 1
# Characters of the longest outcome.
WIDEST = 16
STYLES = {"passed": "green", "failed": "bold red", "skipped": "dim", "expected_failure": "yellow"}


def main(arguments: list[str]) -> int:
    """Print each check as it ends and return the exit code: 0, or 1 when a check failed or an expected failure passed.

    Args:
        arguments: those after the subcommand.

    Raises:
        StnkitError: when there is no such component, or it cannot be built.
    """
    parser = Parser(
        prog="stnkit plugins check",
        usage="%(prog)s [-h] [--compile] [--expect CHECK=REASON ...] [KIND] NAME [OPTION=VALUE ...]",
        description=__doc__,
    )
    parser.add_argument("words", nargs="+", metavar="[KIND] NAME [OPTION=VALUE]", help="as in stnkit train")
    parser.add_argument("--compile", action="store_true", help="also check under torch.compile, which takes a minute")
    parser.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="CHECK=REASON",
        help="a check that the component fails, and why; if it passes, that is a failure (repeatable)",
    )
    given = parser.parse(arguments)
    kind, name = component_named([word for word in given.words if "=" not in word], "[KIND] NAME [OPTION=VALUE ...]")
    options = _options([word for word in given.words if "=" in word])

    validate_options(plugin_registry().component(kind, name), options)  # a mistake in them is not a failed check
    expected = _expected(given.expect)
    check_names([kind], expected, source="--expect")
    component_under_test(f"{kind}.{name}", options).check_options_accepted()
    results = _run(list(testing.checks_for(f"{kind}.{name}", compile=given.compile, **options)), expected)
    counts = collections.Counter(_readable(result.outcome) for result in results.results)
    print(f"{results.component}: {', '.join(f'{n} {outcome}' for outcome, n in counts.items())}")
    return 0 if results.ok else FAILURE


def _options(words: list[str]) -> dict[str, Any]:
    """Options, parsed by the grammar of `stnkit train`, so that values are written the same way in both."""
    options = {}
    for word in words:
        try:
            name, value = parse_override(word)
        except HydraException as error:
            raise InputError(f"{word} cannot be parsed: {first_line(error)}") from error
        options[name] = value
    return options


def _expected(words: list[str]) -> dict[str, str]:
    """Names of checks and the reasons why they fail, from CHECK=REASON."""
    expected: dict[str, str] = {}
    for word in words:
        name, _, reason = word.partition("=")
        if not name or not reason.strip():
            raise InputError(f"--expect: expected CHECK=REASON, the reason why the component fails it, got {word!r}")
        if name in expected:
            raise InputError(f"--expect: expected each check once, got {name} twice")
        expected[name] = reason
    return expected


def _run(checks: list[Check], expected: Mapping[str, str]) -> CheckResults:
    """Run the checks, each named before it runs, so that the last line names one that ends the process."""
    if not faulthandler.is_enabled():
        with contextlib.suppress(OSError, RuntimeError):  # stderr may be no file
            faulthandler.enable()  # says where a crash of compiled code was
    console = Console(highlight=False, soft_wrap=True)
    width = max(len(check.name) for check in checks)
    results = []
    for check in checks:
        console.print(f"{check.name:<{width}}  ", end="")
        console.file.flush()
        result = result_of(check, expected.get(check.name))
        outcome = Text(_readable(result.outcome), style=STYLES.get(result.outcome, "bold red"))
        outcome.pad_right(WIDEST - len(outcome) if result.reason else 0)
        console.print(Text.assemble(outcome, "  " if result.reason else "", result.reason))
        console.file.flush()
        results.append(result)
    return CheckResults(checks[0].component, results)


def _readable(outcome: str) -> str:
    return outcome.replace("_", " ")
