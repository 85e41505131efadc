"""The registry: the components of all installed plugins, and the reasons why some cannot be used."""

import copy
import functools
import os
import warnings
from dataclasses import dataclass, field
from typing import Any

from stnkit.errors import PluginError, UnknownNameError, one_line
from stnkit.listed import listed
from stnkit.plugin_system.clashes import LISTED, Clash, provided_twice, sentences_of
from stnkit.plugin_system.commands import commands_of, keys_of
from stnkit.plugin_system.components import Command, Component
from stnkit.plugin_system.declarations import check_declarations
from stnkit.plugin_system.discovery import Installed, Plugin, Source, installed_plugins, is_blocked, without_effect
from stnkit.plugin_system.kinds import KINDS, kind_named
from stnkit.plugin_system.loggers import OWN_LOGGERS, MakeLogger, loggers_of
from stnkit.plugin_system.options import check_configurable
from stnkit.plugin_system.search_paths import APPLICATION, check_search_path, file_in
from stnkit.plugin_system.used import OWN, tell_used
from stnkit.renaming import renames_collected, tell_plugin

# Prefixes of entry points other than `kind.name`, and the hooks of which each announces one; the newest first.
ANNOUNCES = {
    "command": ("stnkit_commands", "stnkit_verbs"),
    "verb": ("stnkit_commands", "stnkit_verbs"),
    "callbacks": ("stnkit_callbacks",),
    "logger": ("stnkit_loggers",),
    "search_path": ("stnkit_search_paths",),
}


class PluginWarning(UserWarning):
    """A plugin is broken; everything else goes on."""


@dataclass(frozen=True)
class Registered:
    """A component and its origin."""

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

    @property
    def is_own(self) -> bool:
        """True for a component of stnkit itself."""
        return self.source.distribution == OWN


@dataclass(frozen=True)
class Broken:
    """A plugin, or a component of one, that cannot be used, with the reason in one line."""

    source: Source
    reason: str


@dataclass
class Registry:
    """All components, clashes included, and all broken plugins.

    Attributes:
        registered: the components.
        commands: of the command line, each with its source.
        search_paths: for Hydra, each with its source.
        loggers: for `training.loggers`, each a name, a function that makes it, and its source.
        broken: the plugins that cannot be used.
        conflicts: reasons why nobody gets the component of that kind and name, or the command or
            logger of that name.
    """

    registered: list[Registered] = field(default_factory=list)
    commands: list[tuple[Command, Source]] = field(default_factory=list)
    search_paths: list[tuple[str, Source]] = field(default_factory=list)
    loggers: list[tuple[str, MakeLogger, Source]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    conflicts: dict[tuple[str, str], str] = field(default_factory=dict)
    _with_callbacks: list[Plugin] = field(default_factory=list)

    def names(self, kind: str) -> list[str]:
        """The names of a kind, sorted."""
        return sorted({entry.name for entry in self.registered if entry.kind == kind})

    def providers(self, kind: str, name: str) -> list[Registered]:
        """Every component of that kind and name: more than one is a clash."""
        return [entry for entry in self.registered if entry.name == name and entry.kind == kind]

    def component(self, kind: str, name: str) -> Component:
        """The one component of that kind and name.

        Raises:
            UnknownNameError: when there is none; lists the names there are, and the broken plugins.
            PluginError: when two distributions provide it, or a YAML file has its name; names both.
        """
        kind_named(kind)
        if (kind, name) in self.conflicts:
            raise PluginError(self.conflicts[kind, name])
        providers = self.providers(kind, name)
        if not providers:
            raise UnknownNameError(self._why_not(kind, name))
        tell_used(f"{kind}.{name}", providers[0].source)
        return providers[0].component

    def logger(self, name: str) -> tuple[MakeLogger, Source]:
        """The function that makes the logger of that name, and its source.

        Raises:
            UnknownNameError: when there is none; lists the names there are, and the broken plugins.
            PluginError: when two distributions provide it.
        """
        if ("logger", name) in self.conflicts:
            raise PluginError(self.conflicts["logger", name])
        for own, make, source in self.loggers:
            if own == name:
                tell_used(f"logger.{name}", source)
                return make, source
        raise UnknownNameError(self._why_not("logger", name))

    def callbacks(self, config: dict[str, Any]) -> list[tuple[Any, Source]]:
        """The callbacks that every `stnkit_callbacks` hook yields for a run, each with its source.

        Args:
            config: of the run, as plain values; every hook gets a copy.

        Raises:
            PluginError: when one raises.
        """
        found = []
        for plugin in self._with_callbacks:
            source = _announced(plugin.installed, "callbacks")
            try:
                callbacks = plugin.call("stnkit_callbacks", config=copy.deepcopy(config))
            except Exception as error:
                raise PluginError(f"the callbacks of {source} cannot be used: {one_line(error)}") from error
            found += [(callback, source) for callback in callbacks]
            if callbacks:
                tell_used(source.entry_point, source)
        return found

    def add(self, installed: Installed) -> None:
        """Import a plugin and record all that it provides, or nothing.

        Args:
            installed: the plugin.

        Raises:
            BaseException: any error of the plugin; PluginError and InputError where it breaks the hooks' rules.
        """
        plugin = Plugin(installed)
        for key in installed.keys:
            hooks = ANNOUNCES.get(key.split(".")[0], ())
            if hooks and not any(map(plugin.implements, hooks)):
                raise PluginError(f"its entry point {key} announces the hook {hooks[0]}, which it does not implement")
        components = [_registered(component, installed) for component in plugin.call("stnkit_components")]
        commands = [(command, installed.source_of(*keys_of(command.name))) for command in commands_of(plugin)]
        search_paths = [(path, _announced(installed, "search_path")) for path in plugin.call("stnkit_search_paths")]
        loggers = [(name, make, _announced(installed, "logger")) for name, make in loggers_of(plugin)]
        for path, _ in search_paths:
            check_search_path(path)
        self.registered += [e for e in components if not is_blocked(e.source.distribution, f"{e.kind}.{e.name}")]
        self.commands += commands
        self.search_paths += search_paths
        self.loggers += loggers
        if plugin.implements("stnkit_callbacks"):
            self._with_callbacks.append(plugin)

    def unkept(self, installed: Installed) -> list[Broken]:
        """The entry points of a plugin that announce a component which its module does not yield.

        Args:
            installed: the plugin, which was added.
        """
        yielded = [f"{e.kind}.{e.name}" for e in self.registered if e.source in installed.sources]
        instead = f"it yields {', '.join(yielded) or 'no component'}"
        return [
            Broken(source, f"its module does not yield what its entry point announces, {source.entry_point}: {instead}")
            for source in installed.sources
            if source.entry_point.partition(".")[0] in KINDS and source.entry_point not in yielded
        ]

    def add_conflicts(self) -> list[str]:
        """Find the names that two provide, or a YAML file has too; returns the sentences that tell of all of them."""
        clashes, told = [], []
        folders = [(APPLICATION, "stnkit"), *((path, str(source)) for path, source in self.search_paths)]
        for kind, name in dict.fromkeys((entry.kind, entry.name) for entry in self.registered):
            providers = self.providers(kind, name)
            files = [(file, whose) for path, whose in folders if (file := file_in(path, kind, name))]
            if len(providers) > 1:
                clashes.append(Clash(f"{kind} {name!r}", [entry.source for entry in providers]))
                reason = provided_twice(clashes[-1].what, clashes[-1].sources)
            elif files:
                told.append(reason := shadowed(kind, name, *files[0]))
            else:
                continue
            self.conflicts[kind, name] = reason
            self.broken += [Broken(entry.source, reason) for entry in providers]
        commands = [(command.name, source) for command, source in self.commands]
        for what, named in (("command", commands), ("logger", [(name, source) for name, _, source in self.loggers])):
            for name in dict.fromkeys(name for name, _ in named):
                sources = [source for other, source in named if other == name]
                if len(sources) > 1:
                    clashes.append(Clash(f"the {what} {name!r}", sources))
                    self.conflicts[what, name] = provided_twice(clashes[-1].what, sources)
                    self.broken += [Broken(source, self.conflicts[what, name]) for source in sources]
        return [*sentences_of(clashes), *told]

    def _why_not(self, kind: str, name: str) -> str:
        names = [*OWN_LOGGERS, *(own for own, *_ in self.loggers)] if kind == "logger" else self.names(kind)
        known = f"the {kind}s are: {', '.join(names) or 'none'}"
        asked = [broken for broken in self.broken if broken.source.entry_point == f"{kind}.{name}"]
        others = [broken for broken in self.broken if broken not in asked]
        if asked:
            reasons = "; ".join(f"that of {broken.source} is broken: {broken.reason}" for broken in asked)
            points = listed(list(dict.fromkeys(broken.source.entry_point for broken in others)), LISTED)
            also = f" (also broken: {points})" if others else ""
            return f"there is no {kind} {name!r}: {reasons}; {known}{also}"
        # Modules that cannot be imported come before clashes, of which each is told where its name is asked for.
        each = dict.fromkeys(f"{broken.source.entry_point} of {broken.source}: {broken.reason}" for broken in others)
        reasons = listed(list(each), LISTED, "; ")
        return f"there is no {kind} {name!r}; {known}" + (f" (broken plugins: {reasons})" if reasons else "")


def shadowed(kind: str, name: str, file: str, whose: str) -> str:
    """The sentence for a component and a YAML file of one name.

    Args:
        kind: of the component.
        name: of the component.
        file: the YAML file.
        whose: search path it is in.
    """
    return (
        f"{kind} {name!r} is both a component and a file, {file} of {whose}: give the file another name "
        f"(with `defaults: [{name}]` it can set options of that component)"
    )


@functools.cache
def plugin_registry() -> Registry:
    """The registry of this process, filled by the first call."""
    found = Registry()
    for installed in installed_plugins():
        with renames_collected() as renamed:
            _add(installed, found)
        tell_plugin(str(installed), renamed)
    found.registered.sort(key=lambda entry: (entry.kind, entry.name, entry.source.distribution))
    for reason in [*without_effect(), *found.add_conflicts()]:
        _complain(reason, reason)
    return found


def _add(installed: Installed, found: Registry) -> None:
    try:
        found.add(installed)
        unkept = found.unkept(installed)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a module that calls sys.exit() on import must not end the program either
        reason = one_line(error)
        _complain(f"{installed}: {reason}", f"{installed} is left out: {reason}", error)
        found.broken += [Broken(source, reason) for source in installed.sources]
        return
    found.broken += unkept
    for broken in unkept:
        _complain(f"{broken.source}: {broken.reason}", f"{broken.source}: {broken.reason}")


def _registered(component: Any, installed: Installed) -> Registered:
    if not isinstance(component, Component):
        raise PluginError(f"stnkit_components: expected a stnkit.Component, got {component!r}")
    check_configurable(component)
    check_declarations(component)
    return Registered(component, installed.source_of(f"{component.kind.name}.{component.name}"))


def _announced(installed: Installed, prefix: str) -> Source:
    return next((s for s in installed.sources if s.entry_point.startswith(f"{prefix}.")), installed.sources[0])


def _complain(raised: str, warned: str, cause: BaseException | None = None) -> None:
    if os.environ.get("STNKIT_STRICT_PLUGINS", "0") not in ("", "0"):
        raise PluginError(raised) from cause
    warnings.warn(warned, PluginWarning, stacklevel=3)
