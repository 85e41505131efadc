"""Component and Command, which the hooks of a plugin yield."""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stnkit.errors import InputError
from stnkit.plugin_system.kinds import Kind, kind_of

# Words that on a command line are no text, in capitals or not.
VALUES = ("true", "false", "null", "nan", "inf")


@dataclass(frozen=True)
class Component:
    """A name and a class. The kind follows from the base class.

    Args:
        name: in configs: a letter, then letters, digits and underscores; not true, false, null, nan or inf.
        cls: a class that derives from one of stnkit's base classes and leaves no abstract method open.

    Raises:
        InputError: when the name or the class is not of that form.

    Example:
        >>> import stnkit
        >>> class Half(stnkit.samplers.KernelSampler):
        ...     support = 1
        ...     def kernel(self, distance):
        ...         return (1 - distance.abs()).clamp(min=0)
        >>> stnkit.Component("half", Half).kind.name
        'sampler'
    """

    name: str
    cls: type[Any]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", self.name):
            raise InputError(
                f"expected the name of a component to be a letter, then letters, digits and underscores, "
                f"got {self.name!r}"
            )
        if self.name.lower() in VALUES:
            raise InputError(
                f"expected the name of a component to be none of {', '.join(VALUES)}, which Hydra reads as values, "
                f"got {self.name!r}"
            )
        if not isinstance(self.cls, type):
            raise InputError(f"component {self.name!r}: expected a class, got {self.cls!r}")
        if inspect.isabstract(self.cls):
            missing = ", ".join(sorted(self.cls.__abstractmethods__))
            raise InputError(f"component {self.name!r}: {self.cls.__qualname__} does not implement {missing}")
        kind_of(self.cls)

    @functools.cached_property
    def kind(self) -> Kind:
        """The kind whose base class the class derives from."""
        return kind_of(self.cls)

    @property
    def summary(self) -> str:
        """The first line of the class's own docstring."""
        lines = inspect.cleandoc(self.cls.__doc__ or "").splitlines()
        return lines[0] if lines else ""


@dataclass(frozen=True)
class Command:
    """A command of the command line: `stnkit NAME ARGUMENT …` calls `run` and ends with the exit code it returns.

    Args:
        name: lower-case letters, digits and hyphens, a letter first; not one of stnkit's own commands.
        run: takes the arguments behind the name, returns 0 for success, 1 for failure, 2 for a user's mistake. An
            error of stnkit's that it raises is printed as one sentence, with exit code 2.
        help: one line.

    Raises:
        InputError: when one of them is not of that form.

    Example:
        >>> import stnkit
        >>> stnkit.Command("census", lambda arguments: 0, "count the components").run([])
        0
    """

    name: str
    run: Callable[[list[str]], int]
    help: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[a-z][a-z0-9-]*", self.name):
            raise InputError(
                f"expected the name of a command to be lower-case letters, digits and hyphens, got {self.name!r}"
            )
        if not callable(self.run):
            raise InputError(f"command {self.name!r}: expected a function to run, got {self.run!r}")
        if not isinstance(self.help, str) or not self.help.strip() or "\n" in self.help:
            raise InputError(f"command {self.name!r}: expected one line of help, got {self.help!r}")
