"""Check: one thing that a component has to do; and all of them for a component."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from stnkit.errors import InputError
from stnkit.testing.assertions import CheckFailed, NotApplicable
from stnkit.testing.component_under_test import Subject, one_line, subject_of

# The check that costs seconds, and runs when it is asked for.
COMPILED = "compiled"


@dataclass(frozen=True)
class Check:
    """One thing that a component has to do. Calling it is running it.

    Attributes:
        name: in snake_case, the same for every component of a kind.
        component: the label of what is checked.
    """

    name: str
    component: str
    _function: Callable[[Subject], None] = field(repr=False)
    _subject: Subject = field(repr=False)

    @property
    def description(self) -> str:
        """What has to be so."""
        return inspect.getdoc(self._function) or ""

    def run(self) -> str | None:
        """Run it, with random numbers of its own, and gradients recorded.

        Returns:
            Why the check does not apply to this component, or None when it passed.

        Raises:
            CheckFailed: with one sentence that says what is wrong.
        """
        where = f"{self.component}, {self.name}"
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            torch.manual_seed(0)
            try:
                self._function(self._subject)
            except NotApplicable as reason:
                return str(reason)
            except CheckFailed as error:
                raise CheckFailed(f"{where}: {error}") from error.__cause__
            except Exception as error:
                raise CheckFailed(f"{where}: it raised {one_line(error)}{_place(error, self._subject)}") from error
        return None

    def __call__(self) -> str | None:
        return self.run()


def checks_for(component: Any, *, compile: bool = False, **options: Any) -> Iterator[Check]:  # noqa: A002
    """All checks of the component's kind, in the order in which they are best read.

    Args:
        component: a `stnkit.Component`, a class, an object, an installed `"kind.name"`, or a mapping of such a name
            and options.
        compile: whether `torch.compile` is checked too, which takes seconds.
        options: of its constructor; also what the program would supply (`in_shape`, `image_shape`, `n_classes`), if
            it is to be checked for that one value.

    Raises:
        InputError: when it is none of these, an option does not exist, or an object is given with options or of a
            kind whose objects are built for the images of a run.
        UnknownNameError: when no component of that name is installed.
    """
    return _checks(subject_of(component, options), compile)


def _checks(subject: Subject, compile: bool) -> Iterator[Check]:  # noqa: A002
    for function in functions_of(subject.kind.name):
        if compile or function.__name__ != COMPILED:
            yield Check(function.__name__, subject.label, function, subject)


def functions_of(kind: str) -> tuple[Callable[[Subject], None], ...]:
    """What the checks of a kind run."""
    functions: tuple[Callable[[Subject], None], ...] = importlib.import_module(f"stnkit.testing.{kind}s").CHECKS
    return functions


def _place(error: BaseException, subject: Subject) -> str:
    """Where in the component's own file an error came from, in brackets; nothing where it came from elsewhere."""
    cls = subject.component.cls if subject.component is not None else type(subject.instance)
    own = getattr(sys.modules.get(cls.__module__), "__file__", None)
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return f" ({Path(own).name}, line {lines[-1]})" if own and lines else ""


def check_names(subject: Subject, expected: Any) -> None:
    """Refuse an expected failure of a check that there is not."""
    known = [function.__name__ for function in functions_of(subject.kind.name)]
    for name in expected:
        if name not in known:
            raise InputError(
                f"expected_failures names {name!r}, which is no check of a {subject.kind.name}; "
                f"the checks are: {', '.join(known)}"
            )
