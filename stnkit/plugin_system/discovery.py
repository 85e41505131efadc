"""Entry points: the installed plugins, found without importing them, and one of them loaded.

The loop over entry points is our own: pluggy's stops at the first broken one, and a walk over distributions
finds an editable install twice.
"""

import contextlib
import importlib.metadata
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pluggy

from stnkit.errors import PluginError, one_line
from stnkit.listed import listed
from stnkit.plugin_system import hookspecs
from stnkit.plugin_system.ownership import foreign_module

GROUP = "stnkit"
ENTRY_POINTS = "entry_points.txt"
HOOKS = tuple(name for name in vars(hookspecs) if name.startswith("stnkit_"))
# Those that a message names.
_PRESENT_HOOKS = ", ".join(name for name in HOOKS if name not in hookspecs.RENAMED_HOOKS)


@dataclass(frozen=True)
class Source:
    """The origin of a plugin.

    Args:
        entry_point: its key: `kind.name`, `command.name`, `callbacks.name` or `search_path.name`.
        module: named by the entry point.
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
class Installed:
    """A module that a distribution names by one or more entry points, not imported yet.

    Args:
        entry_point: one of them.
        sources: one for each of them.
        unreadable: the reason why the entry points of the distribution cannot be read; empty if they can.
        rivals: other distributions that name a module in a package of that name.
    """

    entry_point: importlib.metadata.EntryPoint
    sources: tuple[Source, ...]
    unreadable: str = ""
    rivals: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return f"plugin {', '.join(self.keys)} of {self.sources[0]}"

    @property
    def keys(self) -> list[str]:
        """The keys of its entry points."""
        return [source.entry_point for source in self.sources]

    def source_of(self, *keys: str) -> Source:
        """The source with one of the keys, or the first one."""
        return next((source for source in self.sources if source.entry_point in keys), self.sources[0])


class Plugin:
    """A module that implements hooks, imported.

    Each has a pluggy manager of its own: with a common one a raising implementation aborts the call of all others.

    Args:
        installed: the module to import.

    Raises:
        PluginError: when it is written for another version of the hooks, or implements none, or one that is not; or
            when Python finds another module of that name.
        BaseException: whatever its import raises.
    """

    def __init__(self, installed: Installed) -> None:
        self.installed = installed
        if installed.unreadable:
            raise PluginError(installed.unreadable)
        if not installed.entry_point.pattern.match(installed.entry_point.value):
            raise PluginError(f"entry point: expected the name of a module, got {installed.entry_point.value!r}")
        try:
            with _output_as_messages():
                module = installed.entry_point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self._check_own_module(error)
            raise
        if installed.rivals:
            self._check_own_module(None)
        try:
            self._register(module)
        except PluginError as error:
            self._check_own_module(error)
            raise

    def _check_own_module(self, error: BaseException | None) -> None:
        """Raise a PluginError if Python has found a module that is not of the distribution."""
        entry_point = self.installed.entry_point
        reason = foreign_module(entry_point.module, entry_point.dist, self.installed.rivals, failed=error is not None)
        if reason:
            raise PluginError(reason) from error

    def _register(self, module: Any) -> None:
        _check_api(module)
        self._manager = pluggy.PluginManager("stnkit")
        self._manager.add_hookspecs(hookspecs)
        self._manager.register(module)
        implemented = [caller.name for caller in self._manager.get_hookcallers(module) or []]
        if unknown := sorted(set(implemented) - set(HOOKS)):
            raise PluginError(f"unknown hook {unknown[0]!r}; the hooks are {_PRESENT_HOOKS}")
        if bare := [hook for hook in HOOKS if callable(getattr(module, hook, None)) and hook not in implemented]:
            raise PluginError(f"{bare[0]} is not marked with @stnkit.hookimpl")
        if not implemented:
            entry_point = self.installed.entry_point
            if entry_point.attr:
                raise PluginError(
                    f"entry point: expected a module, such as {entry_point.module}, got {entry_point.value}"
                )
            raise PluginError(f"it implements no hook of stnkit; the hooks are {_PRESENT_HOOKS}")
        for hook in implemented:
            for implementation in getattr(self._manager.hook, hook).get_hookimpls():
                _check_arguments(hook, implementation.function)

    def implements(self, hook: str) -> bool:
        """True if the module implements that hook."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def call(self, hook: str, **arguments: Any) -> list[Any]:
        """The results of its implementation of a hook; none where it has none.

        Args:
            hook: its name.
            arguments: of the hook.

        Raises:
            PluginError: when the implementation returns None, or anything else that is no list.
            BaseException: whatever it raises.
        """
        if not self.implements(hook):
            return []
        with _output_as_messages():
            results = getattr(self._manager.hook, hook)(**arguments)
            if not results:
                raise PluginError(f"{hook} returns None; it must yield something, or return a list")
            given = results[0]
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise PluginError(
                    f"{hook} returns an object of {type(given).__name__}; it must yield something, or return a list"
                )
            return list(given)


def installed_plugins() -> list[Installed]:
    """The modules that entry points name, each once for a distribution; nothing is imported."""
    found: dict[tuple[str, str], Installed] = {}
    for entry_point, source, unreadable in _selected():
        key = (source.distribution, source.module)
        if key not in found:
            found[key] = Installed(entry_point, (source,), unreadable)
        elif source.entry_point not in found[key].keys:
            found[key] = replace(found[key], sources=(*found[key].sources, source))
    packages: dict[str, dict[str, Any]] = {}
    for (distribution, module), installed in found.items():
        packages.setdefault(_package(module), {})[distribution] = installed.entry_point.dist
    return [
        replace(installed, rivals=tuple(dist for name, dist in packages[_package(module)].items() if name != own))
        for (own, module), installed in found.items()
    ]


def _package(module: str) -> str:
    return module.partition(":")[0].partition(".")[0]


def is_blocked(distribution: str, key: str) -> bool:
    """True if STNKIT_DISABLE_PLUGINS blocks a distribution, or its `kind.name`."""
    return bool({distribution, f"{distribution}:{key}"} & _listed("STNKIT_DISABLE_PLUGINS"))


def without_effect() -> list[str]:
    """A sentence for each `distribution:kind.name` of STNKIT_DISABLE_PLUGINS that an installed distribution lacks."""
    names = sorted(name for name in _listed("STNKIT_DISABLE_PLUGINS") if ":" in name)
    if not names:
        return []
    keys: dict[str, list[str]] = {}
    for entry_point, distribution, _ in _entry_points():
        keys.setdefault(distribution.name or "unknown", []).append(entry_point.name)
    return [
        f"STNKIT_DISABLE_PLUGINS: {own} has no entry point {key!r}; it has {listed(keys[own], 5)}"
        for own, _, key in (name.partition(":") for name in names)
        if own in keys and key not in keys[own]
    ]


def _selected() -> Iterator[tuple[importlib.metadata.EntryPoint, Source, str]]:
    """Entry points that STNKIT_PLUGINS allows and STNKIT_DISABLE_PLUGINS does not block."""
    allowed = _listed("STNKIT_PLUGINS")
    known: dict[Any, tuple[str, str]] = {}  # reading the metadata of a distribution dominates
    for entry_point, distribution, unreadable in _entry_points():
        if distribution not in known:
            known[distribution] = (distribution.name or "unknown", distribution.version or "?")
        name, version = known[distribution]
        source = Source(entry_point.name, entry_point.value, name, version)
        keys = {name, f"{name}:{source.entry_point}"}
        if (not allowed or keys & allowed) and not is_blocked(name, source.entry_point):
            yield entry_point, source, unreadable


def _entry_points() -> Iterator[tuple[importlib.metadata.EntryPoint, Any, str]]:
    """Entry points with their distributions; for an unreadable distribution a substitute, with the reason."""
    try:
        found = importlib.metadata.entry_points(group=GROUP)
    except Exception:  # one malformed file, of whatever distribution, makes all unreadable: read them one by one
        for distribution in importlib.metadata.distributions():
            try:
                for entry_point in distribution.entry_points.select(group=GROUP):
                    yield entry_point, distribution, ""
            except Exception as error:
                substitute = importlib.metadata.EntryPoint(ENTRY_POINTS, "?", GROUP)
                yield substitute, distribution, f"its {ENTRY_POINTS} cannot be read: {one_line(error)}"
    else:
        for entry_point in found:
            yield entry_point, entry_point.dist, ""


def _listed(variable: str) -> set[str]:
    return {part.strip() for part in os.environ.get(variable, "").split(",") if part.strip()}


def _check_arguments(hook: str, function: Callable[..., Any]) -> None:
    """Refuse an argument that pluggy would leave at its default, or empty, without a word."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD):
            names = ", ".join(inspect.signature(getattr(hookspecs, hook)).parameters)
            raise PluginError(f"expected {hook}({names}), got the argument {parameter}, which no hook is given")


def _check_api(module: Any) -> None:
    version = getattr(module, "stnkit_api", hookspecs.API_VERSION)
    if isinstance(version, bool) or not isinstance(version, int):
        raise PluginError(f"stnkit_api: expected a whole number, got {version!r}")
    oldest, newest = hookspecs.OLDEST_API_VERSION, hookspecs.API_VERSION
    if not oldest <= version <= newest:
        known = str(newest) if oldest == newest else f"{oldest} to {newest}"
        older = "stnkit" if version > newest else "plugin"
        raise PluginError(f"it is written for plugin API {version}, this stnkit has {known}: install a newer {older}")


def _output_as_messages() -> contextlib.AbstractContextManager[Any]:
    # Output of a plugin while it is loaded must not mix with that of `stnkit plugins --json | …`.
    return contextlib.redirect_stdout(sys.stderr)
