"""Verbs that plugins add to the command line: found by their entry points, imported when they are used."""

from importlib import import_module

from stnkit.errors import PluginError
from stnkit.plugin_system.discovery import Plugin, Source, installed_plugins, one_line
from stnkit.plugin_system.hookspecs import Verb


def announced_verbs() -> dict[str, list[Source]]:
    """The verbs that entry points `verb.NAME` announce, and who does: no plugin is imported."""
    found: dict[str, list[Source]] = {}
    for installed in installed_plugins():
        for source in installed.sources:
            prefix, _, name = source.entry_point.partition(".")
            if prefix == "verb":
                found.setdefault(name, []).append(source)
    return found


def verb_named(name: str) -> Verb:
    """An announced verb; imports its plugin and no other.

    Args:
        name: as announced.

    Raises:
        PluginError: when two distributions announce it, or its plugin is broken.
    """
    announcing = [installed for installed in installed_plugins() if f"verb.{name}" in installed.keys]
    if len(announcing) > 1:
        raise PluginError(announced_twice(name, [installed.source_of(f"verb.{name}") for installed in announcing]))
    try:
        return next(verb for verb in verbs_of(Plugin(announcing[0])) if verb.name == name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(f"{announcing[0]} is broken: {one_line(error)}") from error


def verbs_of(plugin: Plugin) -> list[Verb]:
    """What its `stnkit_verbs` hook yields.

    Args:
        plugin: imported.

    Raises:
        PluginError: when something of it is no verb, is one of stnkit's own, or cannot be found by an entry point.
    """
    verbs = plugin.call("stnkit_verbs")
    for verb in verbs:
        if not isinstance(verb, Verb):
            raise PluginError(f"stnkit_verbs yields {verb!r}, which is no stnkit.Verb")
        # By name, as `kinds` asks for base classes: nothing of the command line is imported where it is not used.
        if verb.name in import_module("stnkit.cli.main").VERBS:
            raise PluginError(f"the verb {verb.name!r} is stnkit's own and cannot be taken")
        if f"verb.{verb.name}" not in plugin.installed.keys:
            raise PluginError(f"the verb {verb.name!r} needs an entry point verb.{verb.name}, by which it is found")
    for key in plugin.installed.keys:
        if key.startswith("verb.") and key.removeprefix("verb.") not in [verb.name for verb in verbs]:
            raise PluginError(f"its entry point {key} announces a verb that stnkit_verbs does not yield")
    return verbs


def announced_twice(name: str, sources: list[Source]) -> str:
    """What to say when two distributions announce one verb."""
    listed = " and ".join(str(source) for source in sources)
    return f"the verb {name!r} is provided twice, by {listed}: uninstall or block one of them"
