"""Discovery of plugins by their entry points, and what became of each.

The loop over entry points is our own: pluggy's stops at the first broken one, and a walk over distributions
finds an editable install twice.
"""

import functools
import importlib.metadata
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pluggy

from stnkit import hookspecs
from stnkit.errors import PluginError, UnknownNameError
from stnkit.hookspecs import Component
from stnkit.kinds import kind_named

GROUP = "stnkit"


class PluginWarning(UserWarning):
    """A plugin is broken; everything else goes on."""


@dataclass(frozen=True)
class Source:
    """Where a plugin comes from.

    Args:
        entry_point: its key, `kind.name` by custom.
        module: what it imports.
        distribution: name of the installed package.
        version: of the installed package.
    """

    entry_point: str
    module: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} ({self.module})"


@dataclass(frozen=True)
class Registered:
    """A component and where it comes from."""

    component: Component
    source: Source

    @property
    def kind(self) -> str:
        """Name of its kind."""
        return self.component.kind.name

    @property
    def name(self) -> str:
        """Its own name."""
        return self.component.name


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be used, and why, in one line."""

    source: Source
    reason: str


@dataclass
class Registry:
    """All components that were found, clashes included, and all broken plugins."""

    registered: list[Registered] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)

    def names(self, kind: str) -> list[str]:
        """The names of a kind, sorted."""
        return sorted({entry.name for entry in self.registered if entry.kind == kind})

    def providers(self, kind: str, name: str) -> list[Registered]:
        """Every component of that kind and name: more than one is a clash."""
        return [entry for entry in self.registered if (entry.kind, entry.name) == (kind, name)]

    def component(self, kind: str, name: str) -> Component:
        """The one component of that kind and name.

        Raises:
            UnknownNameError: when there is none; lists the names there are, and the broken plugins.
            PluginError: when two distributions provide it; names both.
        """
        kind_named(kind)
        providers = self.providers(kind, name)
        if len(providers) > 1:
            listed = " and ".join(str(entry.source) for entry in providers)
            raise PluginError(f"{kind} {name!r} is provided twice, by {listed}: uninstall or block one of them")
        if not providers:
            known = ", ".join(self.names(kind)) or "none"
            message = f"there is no {kind} {name!r}; the {kind}s are: {known}"
            if self.broken:
                reasons = "; ".join(f"{b.source.entry_point} of {b.source}: {b.reason}" for b in self.broken)
                message += f" (broken plugins: {reasons})"
            raise UnknownNameError(message)
        return providers[0].component


@functools.cache
def registry() -> Registry:
    """The registry of this process, filled at the first call."""
    found = Registry()
    strict = os.environ.get("STNKIT_STRICT_PLUGINS", "0") not in ("", "0")
    for entry_point, source in _selected(importlib.metadata.entry_points(group=GROUP)):
        try:
            # A module that calls sys.exit() on import must not take the program down either.
            module = entry_point.load()
            components = _components(module)
        except (Exception, SystemExit) as error:
            reason = _one_line(error)
            if strict:
                raise PluginError(f"plugin {source.entry_point} of {source}: {reason}") from error
            found.broken.append(Broken(source, reason))
            warnings.warn(f"plugin {source.entry_point} of {source} is left out: {reason}", PluginWarning, stacklevel=2)
        else:
            found.registered += [Registered(component, source) for component in components]
    found.registered.sort(key=lambda entry: (entry.kind, entry.name, entry.source.distribution))
    return found


def _selected(
    entry_points: importlib.metadata.EntryPoints,
) -> Iterator[tuple[importlib.metadata.EntryPoint, Source]]:
    """Entry points that STNKIT_PLUGINS allows and STNKIT_DISABLE_PLUGINS does not block."""
    allowed, blocked = _listed("STNKIT_PLUGINS"), _listed("STNKIT_DISABLE_PLUGINS")
    for entry_point in entry_points:
        distribution = entry_point.dist
        source = Source(
            entry_point=entry_point.name,
            module=entry_point.value,
            distribution=distribution.name if distribution else "unknown",
            version=distribution.version if distribution else "?",
        )
        keys = {source.distribution, f"{source.distribution}:{source.entry_point}"}
        if (not allowed or keys & allowed) and not keys & blocked:
            yield entry_point, source


def _listed(variable: str) -> set[str]:
    return {part.strip() for part in os.environ.get(variable, "").split(",") if part.strip()}


def _components(module: Any) -> list[Component]:
    """What the hook implementation of one plugin yields; each plugin has a manager of its own.

    With a common manager one raising implementation would abort the call of all others.
    """
    manager = pluggy.PluginManager("stnkit")
    manager.add_hookspecs(hookspecs)
    if manager.register(module) is None:
        raise PluginError(f"{module!r} is blocked")
    manager.check_pending()  # raises for a hook that does not exist, such as a misspelt one
    implementations = manager.hook.stnkit_components.get_hookimpls()
    if not implementations:
        raise PluginError("it implements no hook of stnkit (is @stnkit.hookimpl missing?)")
    function: Any = implementations[0].function
    components = list(function())
    for component in components:
        if not isinstance(component, Component):
            raise PluginError(f"its hook yields {component!r}, which is no stnkit.Component")
    return components


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
