"""Commands that plugins add to the command line: found by their entry points, imported when they are used."""

from stnkit.errors import PluginError, one_line
from stnkit.plugin_system.clashes import provided_twice
from stnkit.plugin_system.components import Command
from stnkit.plugin_system.discovery import Installed, Plugin, Source, installed_plugins
from stnkit.renaming import renames_collected, tell_plugin, tell_renamed

# stnkit's own commands, whose names a plugin cannot take.
RESERVED = ("train", "evaluate", "report", "plugins", "apply", "export", "cache", "completion")
# Keys of entry points: `command.NAME`, and `verb.NAME` of plugin API 1.
PREFIXES = ("command", "verb")


def announced_commands() -> dict[str, list[Source]]:
    """The commands that entry points `command.NAME` announce, each with its sources; no plugin is imported."""
    found: dict[str, list[Source]] = {}
    for installed in installed_plugins():
        for name in _announced_by(installed):
            found.setdefault(name, []).append(installed.source_of(*keys_of(name)))
    return found


def command_named(name: str) -> Command:
    """An announced command; imports its plugin and no other.

    Args:
        name: as announced.

    Raises:
        PluginError: when two distributions announce it, or its plugin is broken.
    """
    keys = keys_of(name)
    announcing = [installed for installed in installed_plugins() if set(keys) & set(installed.keys)]
    if len(announcing) > 1:
        sources = [installed.source_of(*keys) for installed in announcing]
        raise PluginError(provided_twice(f"the command {name!r}", sources))
    try:
        with renames_collected() as renamed:
            command = next(command for command in commands_of(Plugin(announcing[0])) if command.name == name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(f"{announcing[0]} is broken: {one_line(error)}") from error
    tell_plugin(str(announcing[0]), renamed)
    return command


def commands_of(plugin: Plugin) -> list[Command]:
    """The commands that a plugin yields; the hook of API 1 is called where that of API 2 is missing.

    Args:
        plugin: imported.

    Raises:
        PluginError: when it yields anything but commands, one of stnkit's own names, or one without an entry point.
    """
    if plugin.implements("stnkit_verbs") and not plugin.implements("stnkit_commands"):
        tell_renamed(
            "rename the hook stnkit_verbs to stnkit_commands, and its entry points verb.NAME to command.NAME",
            plugin.installed.sources[0].module,
        )
        commands = plugin.call("stnkit_verbs")
    else:
        commands = plugin.call("stnkit_commands")
    announced = _announced_by(plugin.installed)
    for command in commands:
        if not isinstance(command, Command):
            raise PluginError(f"stnkit_commands: expected a stnkit.Command, got {command!r}")
        if command.name in RESERVED:
            raise PluginError(f"the command {command.name!r} is stnkit's own and cannot be taken")
        if command.name not in announced:
            raise PluginError(
                f"the command {command.name!r} needs an entry point command.{command.name}, by which it is found"
            )
    for name in sorted(set(announced) - {command.name for command in commands}):
        raise PluginError(f"its entry point command.{name} announces a command that stnkit_commands does not yield")
    return commands


def _announced_by(installed: Installed) -> dict[str, None]:
    """The names of its commands, in order; one may have a key of each prefix, for both versions of the API."""
    parts = (key.partition(".") for key in installed.keys)
    return {name: None for prefix, _, name in parts if prefix in PREFIXES}


def keys_of(name: str) -> list[str]:
    """The keys of entry points that announce a command of that name."""
    return [f"{prefix}.{name}" for prefix in PREFIXES]
