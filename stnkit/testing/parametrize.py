"""One pytest test for each check. Only this module of the kit imports pytest."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stnkit.testing.assertions import CheckFailed
from stnkit.testing.checks import Check, check_names, checks_for
from stnkit.testing.component_under_test import ComponentUnderTest, component_under_test

if TYPE_CHECKING:
    import pytest

Expected = Mapping[str, str] | Callable[[Any], Mapping[str, str]]


def parametrize_with_checks(
    components: Iterable[Any],
    expected_failures: Expected | None = None,
    *,
    compile: bool = False,  # noqa: A002
) -> "pytest.MarkDecorator":
    """A decorator that parametrizes a test function by `check`, which the function calls.

        @stnkit.testing.parametrize_with_checks(["transform.swirl", {"name": "transform.swirl", "radius": 0.5}])
        def test_conformance(check):
            check()

    Args:
        components: each a `stnkit.Component`, a class, an object, an installed `"kind.name"`, or a mapping of such a
            name and options.
        expected_failures: names of checks that fail, each with the reason, or a function that gives these for one of
            the components. They are strict: the test of one that passes fails.
        compile: True to check `torch.compile` as well, which takes seconds.

    Raises:
        InputError: when a component is none of these, or an expected name is not that of a check.
    """
    import pytest

    given = list(components)
    each_under_test = [component_under_test(component, {}) for component in given]
    parameters = []
    for component, under_test, expected in zip(
        given, each_under_test, _expected(given, each_under_test, expected_failures), strict=True
    ):
        for check in checks_for(component, compile=compile):
            reason = expected.get(check.name)
            marks = [] if reason is None else [pytest.mark.xfail(strict=True, reason=reason, raises=CheckFailed)]
            parameters.append(pytest.param(_Skipping(check), id=f"{under_test.label}-{check.name}", marks=marks))
    return pytest.mark.parametrize("check", parameters)


def _expected(
    given: list[Any], each_under_test: list[ComponentUnderTest], expected: Expected | None
) -> list[Mapping[str, str]]:
    if callable(expected):
        each = [expected(component) for component in given]
        for under_test, names in zip(each_under_test, each, strict=True):
            check_names([under_test.kind.name], names)
        return each
    names = expected or {}
    check_names([under_test.kind.name for under_test in each_under_test], names)
    return [names] * len(given)


@dataclass(frozen=True)
class _Skipping:
    """A check that skips its test if it does not apply."""

    check: Check

    def __call__(self) -> None:
        import pytest

        __tracebackhide__ = True
        reason = self.check.run()
        if reason is not None:
            pytest.skip(reason)
