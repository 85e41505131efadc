"""The hooks that a plugin implements, and what they yield."""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pluggy

from stnkit.errors import InputError
from stnkit.plugin_system.kinds import Kind, kind_of

# What plugins are written against. A module may say which one it means, `stnkit_api = 1`; without that it means the
# current one. A change that breaks plugins raises API_VERSION; OLDEST_API_VERSION follows when the old way is gone.
API_VERSION = 1
OLDEST_API_VERSION = 1

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


@dataclass(frozen=True)
class Verb:
    """A verb of the command line: `stnkit NAME ARGUMENT …` calls `run` and ends with the exit code that it returns.

    Args:
        name: lower-case letters, digits and hyphens, a letter first; not one of stnkit's own verbs.
        run: takes what stands after the verb, returns 0 for success, 1 for failure, 2 for a user's mistake. What it
            raises of stnkit's errors is printed as one sentence, with exit code 2.
        help: one line.

    Raises:
        InputError: when one of them is not of that form.
    """

    name: str
    run: Callable[[list[str]], int]
    help: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[a-z][a-z0-9-]*", self.name):
            raise InputError(
                f"the name of a verb must be lower-case letters, digits and hyphens, but {self.name!r} was given"
            )
        if not callable(self.run):
            raise InputError(f"verb {self.name!r} needs a function to run, but {self.run!r} was given")
        if not isinstance(self.help, str) or not self.help.strip() or "\n" in self.help:
            raise InputError(f"verb {self.name!r} needs one line of help, but {self.help!r} was given")


@hookspec
def stnkit_components() -> Iterable[Component]:  # type: ignore[empty-body]
    """Yield the components of a plugin."""


@hookspec
def stnkit_callbacks(config: dict[str, Any]) -> Iterable[Any]:  # type: ignore[empty-body]
    """Yield Lightning callbacks for one run.

    Args:
        config: of the run, as plain values; a copy.
    """


@hookspec
def stnkit_verbs() -> Iterable[Verb]:  # type: ignore[empty-body]
    """Yield verbs of the command line; each needs an entry point `verb.NAME`, by which it is found."""


@hookspec
def stnkit_search_paths() -> Iterable[str]:  # type: ignore[empty-body]
    """Yield folders of YAML for Hydra: `pkg://my_package.conf`, or `file:///a/folder`."""
