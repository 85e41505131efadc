"""CheckResults: the outcome of each check of a component."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stnkit.errors import StnkitError
from stnkit.renaming import tell_renamed
from stnkit.testing.assertions import CheckFailed
from stnkit.testing.checks import Check, check_names, checks_for
from stnkit.testing.component_under_test import component_under_test


class Outcome(enum.StrEnum):
    """The outcomes of a check, worst first behind `passed`."""

    passed = "passed"
    failed = "failed"
    unexpected_pass = "unexpected_pass"
    expected_failure = "expected_failure"
    skipped = "skipped"  # it does not apply


@dataclass(frozen=True)
class Result:
    """The outcome of one check.

    Args:
        name: of the check.
        outcome: of the check.
        reason: why it failed, was expected to fail, or does not apply; empty if it passed.
    """

    name: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class CheckResults:
    """The outcomes of all checks of a component; `str` gives a summary and one line for each reason.

    Args:
        component: its label.
        results: in the order of the checks.

    Example:
        >>> results = stnkit.testing.run("sampler.bilinear")
        >>> results.ok, results.results[0].name
        (True, 'construction')
    """

    component: str
    results: list[Result]

    @property
    def ok(self) -> bool:
        """True if exactly the checks failed that were expected to."""
        return not any(r.outcome in (Outcome.failed, Outcome.unexpected_pass) for r in self.results)

    def __str__(self) -> str:
        counts = {outcome: sum(r.outcome is outcome for r in self.results) for outcome in Outcome}
        summary = ", ".join(f"{n} {outcome.replace('_', ' ')}" for outcome, n in counts.items() if n)
        # Checks with the same outcome and reason share a line; failures come first.
        same: dict[tuple[Outcome, str], list[str]] = {}
        for r in self.results:
            if r.outcome is not Outcome.passed:
                same.setdefault((r.outcome, r.reason), []).append(r.name)
        order = sorted(same, key=lambda key: list(Outcome).index(key[0]))
        lines = [f"  {o.replace('_', ' ')}: {', '.join(same[o, reason])} ({reason})" for o, reason in order]
        return "\n".join([f"{self.component}: {summary}", *lines])


class ConformanceError(StnkitError, AssertionError):
    """A component breaks the contract of its kind; the message lists every failure.

    Args:
        results: the outcome of each check.
    """

    def __init__(self, results: CheckResults) -> None:
        super().__init__(str(results))
        self.results = results

    @property
    def report(self) -> CheckResults:
        """The name of `results` in plugin API 1."""
        tell_renamed("ConformanceError.report is now ConformanceError.results")
        return self.results


def run(
    component: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    compile: bool = False,  # noqa: A002
    **options: Any,
) -> CheckResults:
    """Run all checks of a component and return the outcome of each.

    Args:
        component: a `stnkit.Component`, a class, an object, an installed `"kind.name"`, or a mapping of such a name
            and options.
        expected_failures: names of checks that it fails, each with the reason; one that passes counts as a failure.
        compile: True to check `torch.compile` as well, which takes seconds.
        options: of its constructor.

    Raises:
        InputError: when it is none of these, an option does not exist, or an expected name is not that of a check.
        UnknownNameError: when no component of that name is installed.
    """
    expected = dict(expected_failures or {})
    under_test = component_under_test(component, options)
    check_names([under_test.kind.name], expected)
    checks = checks_for(component, compile=compile, **options)
    return CheckResults(under_test.label, [result_of(check, expected.get(check.name)) for check in checks])


def check(
    component: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    compile: bool = False,  # noqa: A002
    **options: Any,
) -> CheckResults:
    """The same as `run`, but raise if a check fails.

    Raises:
        ConformanceError: with all failures.
    """
    results = run(component, expected_failures=expected_failures, compile=compile, **options)
    if not results.ok:
        raise ConformanceError(results)
    return results


def result_of(check: Check, expected: str | None = None) -> Result:
    """Run a check and return its outcome.

    Args:
        check: of a component.
        expected: the reason why it is expected to fail; None if it is not.
    """
    try:
        skipped = check.run()
    except CheckFailed as error:
        if expected is not None:
            return Result(check.name, Outcome.expected_failure, expected)
        return Result(check.name, Outcome.failed, str(error).removeprefix(f"{check.component}, {check.name}: "))
    if skipped is not None:
        return Result(check.name, Outcome.skipped, skipped)
    if expected is not None:
        return Result(check.name, Outcome.unexpected_pass, f"it was expected to fail: {expected}")
    return Result(check.name, Outcome.passed)
