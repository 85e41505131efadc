"""The hook that a plugin implements, and what it yields."""

import inspect
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pluggy

from stnkit.errors import InputError
from stnkit.kinds import Kind, kind_of

hookspec = pluggy.HookspecMarker("stnkit")
hookimpl = pluggy.HookimplMarker("stnkit")


@dataclass(frozen=True)
class Component:
    """A name and a class. The kind follows from the base class.

    Args:
        name: what a config selects it by: a letter, then letters, digits and underscores.
        cls: a class that derives from one of stnkit's base classes and leaves no abstract method open.

    Raises:
        InputError: when the name or the class is not of that form.
    """

    name: str
    cls: type[Any]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z]\w*", self.name):
            raise InputError(
                f"the name of a component must be a letter, then letters, digits and underscores, "
                f"but {self.name!r} was given"
            )
        if not isinstance(self.cls, type):
            raise InputError(f"component {self.name!r} needs a class, but {self.cls!r} was given")
        if inspect.isabstract(self.cls):
            missing = ", ".join(sorted(self.cls.__abstractmethods__))
            raise InputError(f"component {self.name!r}: {self.cls.__qualname__} leaves open: {missing}")
        kind_of(self.cls)

    @property
    def kind(self) -> Kind:
        """The kind whose base class the class derives from."""
        return kind_of(self.cls)

    @property
    def summary(self) -> str:
        """The first line of the class's own docstring."""
        lines = inspect.cleandoc(self.cls.__doc__ or "").splitlines()
        return lines[0] if lines else ""


@hookspec
def stnkit_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """Yield the components of a plugin."""
