"""Check: one property that a component must have; and all checks of a component."""

import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from stnkit.errors import InputError, one_line
from stnkit.listed import with_article
from stnkit.testing.assertions import LONGEST_REASON, CheckFailed, NotApplicable
from stnkit.testing.component_under_test import ComponentUnderTest, component_under_test
from stnkit.testing.inputs import seed_generators

# The one check that takes seconds: it runs only on request.
COMPILED = "compiled"


@dataclass(frozen=True)
class Check:
    """One property that a component must have. Calling the check runs it.

    Attributes:
        name: in snake_case, the same for every component of a kind.
        component: the label of the component.
    """

    name: str
    component: str
    _function: Callable[[ComponentUnderTest], None] = field(repr=False)
    _under_test: ComponentUnderTest = field(repr=False)

    @property
    def description(self) -> str:
        """The property, in sentences."""
        return inspect.getdoc(self._function) or ""

    def run(self) -> str | None:
        """Run the check with its own random numbers and with gradients recorded.

        Returns:
            The reason why the check does not apply to this component, or None if it passed.

        Raises:
            CheckFailed: with one sentence that says what is wrong.
        """
        where = f"{self.component}, {self.name}"
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            seed_generators(0)
            try:
                self._function(self._under_test)
            except NotApplicable as reason:
                return str(reason)
            except CheckFailed as error:
                raise CheckFailed(f"{where}: {error}") from error.__cause__
            except Exception as error:
                raised = f"it raised {one_line(error, LONGEST_REASON)}{_location(error, self._under_test)}"
                raise CheckFailed(f"{where}: {raised}") from error
        return None

    def __call__(self) -> str | None:
        return self.run()


def checks_for(component: Any, *, compile: bool = False, **options: Any) -> Iterator[Check]:  # noqa: A002
    """All checks of the component's kind, basic ones first.

    Args:
        component: a `stnkit.Component`, a class, an object, an installed `"kind.name"`, or a mapping of such a name
            and options.
        compile: True to include the check of `torch.compile`, which takes seconds.
        options: of its constructor, and values for what the program supplies (`in_shape`, `image_shape`,
            `n_classes`) to check the component for these values only.

    Raises:
        InputError: when it is none of these, an option does not exist, or an object is given with options or of a
            kind whose objects are built for the images of a run.
        UnknownNameError: when no component of that name is installed.
    """
    return _checks(component_under_test(component, options), compile)


def _checks(under_test: ComponentUnderTest, compile: bool) -> Iterator[Check]:  # noqa: A002
    for function in functions_of(under_test.kind.name):
        if compile or function.__name__ != COMPILED:
            yield Check(function.__name__, under_test.label, function, under_test)


def functions_of(kind: str) -> tuple[Callable[[ComponentUnderTest], None], ...]:
    """The functions of the checks of a kind, in their order."""
    functions: tuple[Callable[[ComponentUnderTest], None], ...]
    functions = importlib.import_module(f"stnkit.testing.{kind}s").CHECKS
    return functions


def _location(error: BaseException, under_test: ComponentUnderTest) -> str:
    """The line of the component's own file that the error came from, in brackets; empty if it came from elsewhere."""
    own = getattr(sys.modules.get(under_test.cls.__module__), "__file__", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return f" ({Path(own).name}, line {lines[-1]})" if own and lines else ""


def check_names(kinds: Collection[str], expected: Iterable[str], source: str = "expected_failures") -> None:
    """Check that each expected failure names a check of one of the kinds.

    Args:
        kinds: of the components.
        expected: names of checks.
        source: of the names, as the user writes it.

    Raises:
        InputError: when one names none, with the nearest name.
    """
    known = list(dict.fromkeys(function.__name__ for kind in kinds for function in functions_of(kind)))
    for name in expected:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            such_as = f", such as {near[0]!r}" if near else ""
            checked = " or ".join(map(with_article, dict.fromkeys(kinds)))
            raise InputError(
                f"{source}: expected a check of {checked}{such_as}, got {name!r}; the checks are: {', '.join(known)}"
            )
