"""Report: what became of each check."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stnkit.errors import StnkitError
from stnkit.testing.assertions import CheckFailed
from stnkit.testing.checks import Check, check_names, checks_for
from stnkit.testing.component_under_test import subject_of


class Outcome(enum.StrEnum):
    """What became of a check."""

    passed = "passed"
    failed = "failed"
    unexpected_pass = "unexpected_pass"
    expected_failure = "expected_failure"
    skipped = "skipped"  # it does not apply


@dataclass(frozen=True)
class Result:
    """What became of one check.

    Args:
        name: of the check.
        outcome: what became of it.
        reason: why it failed, was expected to, or does not apply.
    """

    name: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """What became of all checks of a component, readable as a string.

    Args:
        component: its label.
        results: in the order of the checks.
    """

    component: str
    results: list[Result]

    @property
    def ok(self) -> bool:
        """Whether nothing failed that was not expected to, and all that was expected to did."""
        return not any(r.outcome in (Outcome.failed, Outcome.unexpected_pass) for r in self.results)

    def __str__(self) -> str:
        counts = {outcome: sum(r.outcome is outcome for r in self.results) for outcome in Outcome}
        summary = ", ".join(f"{n} {outcome.replace('_', ' ')}" for outcome, n in counts.items() if n)
        # Checks that end alike for the same reason share a line, and failures come first.
        same: dict[tuple[Outcome, str], list[str]] = {}
        for r in self.results:
            if r.outcome is not Outcome.passed:
                same.setdefault((r.outcome, r.reason), []).append(r.name)
        order = sorted(same, key=lambda key: list(Outcome).index(key[0]))
        lines = [f"  {o.replace('_', ' ')}: {', '.join(same[o, reason])} ({reason})" for o, reason in order]
        return "\n".join([f"{self.component}: {summary}", *lines])


class ConformanceError(StnkitError, AssertionError):
    """A component does not do what its kind has to do; its message is the report.

    Args:
        report: what became of each check.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report


def run(
    component: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    compile: bool = False,  # noqa: A002
    **options: Any,
) -> Report:
    """Run all checks of a component, and tell what became of each.

    Args:
        component: a `stnkit.Component`, a class, an object, an installed `"kind.name"`, or a mapping of such a name
            and options.
        expected_failures: names of checks that it fails, each with the reason; one that passes is reported.
        compile: whether `torch.compile` is checked too, which takes seconds.
        options: of its constructor.

    Raises:
        InputError: when it is none of these, an option does not exist, or there is no check of an expected name.
        UnknownNameError: when no component of that name is installed.
    """
    expected = dict(expected_failures or {})
    subject = subject_of(component, options)
    check_names(subject, expected)
    results = [_result(check, expected.get(check.name)) for check in checks_for(component, compile=compile, **options)]
    return Report(subject.label, results)


def check(
    component: Any,
    *,
    expected_failures: Mapping[str, str] | None = None,
    compile: bool = False,  # noqa: A002
    **options: Any,
) -> Report:
    """The same as `run`, but raises when the component does not do what it has to.

    Raises:
        ConformanceError: with one report of all checks that fail.
    """
    report = run(component, expected_failures=expected_failures, compile=compile, **options)
    if not report.ok:
        raise ConformanceError(report)
    return report


def _result(check: Check, expected: str | None) -> Result:
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
