"""One pytest test for each check. The rest of the kit works without pytest."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stnkit.errors import InputError
from stnkit.testing.assertions import CheckFailed
from stnkit.testing.checks import Check, check_names, checks_for, functions_of
from stnkit.testing.component_under_test import Subject, subject_of

if TYPE_CHECKING:
    import pytest

Expected = Mapping[str, str] | Callable[[Any], Mapping[str, str]]


def parametrize_with_checks(
    components: Iterable[Any],
    expected_failures: Expected | None = None,
    *,
    compile: bool = False,  # noqa: A002
) -> "pytest.MarkDecorator":
    """A decorator that gives a test function one `check` after the other, which it has to call.

        @stnkit.testing.parametrize_with_checks(["transform.swirl", {"name": "transform.swirl", "radius": 0.5}])
        def test_conformance(check):
            check()

    Args:
        components: each a `stnkit.Component`, a class, an object, an installed `"kind.name"`, or a mapping of such a
            name and options.
        expected_failures: names of checks that fail, each with the reason, or a function that gives these for one of
            the components. They are strict: one that passes is a failure of its test.
        compile: whether `torch.compile` is checked too, which takes seconds.

    Raises:
        InputError: when a component is none of these, or no check has an expected name.
    """
    import pytest

    given = list(components)
    subjects = [subject_of(component, {}) for component in given]
    parameters = []
    for component, subject, expected in zip(
        given, subjects, _expected(given, subjects, expected_failures), strict=True
    ):
        for check in checks_for(component, compile=compile):
            reason = expected.get(check.name)
            marks = [] if reason is None else [pytest.mark.xfail(strict=True, reason=reason, raises=CheckFailed)]
            parameters.append(pytest.param(_Skipping(check), id=f"{subject.label}-{check.name}", marks=marks))
    return pytest.mark.parametrize("check", parameters)


def _expected(given: list[Any], subjects: list[Subject], expected: Expected | None) -> list[Mapping[str, str]]:
    if callable(expected):
        each = [expected(component) for component in given]
        for subject, names in zip(subjects, each, strict=True):
            check_names(subject, names)
        return each
    names = expected or {}
    known = {function.__name__ for subject in subjects for function in functions_of(subject.kind.name)}
    for name in names:
        if name not in known:
            raise InputError(
                f"expected_failures names {name!r}, which is no check of these components; "
                f"the checks are: {', '.join(sorted(known))}"
            )
    return [names] * len(given)


@dataclass(frozen=True)
class _Skipping:
    """A check that tells pytest when it does not apply."""

    check: Check

    def __call__(self) -> None:
        import pytest

        __tracebackhide__ = True
        reason = self.check.run()
        if reason is not None:
            pytest.skip(reason)
