"""The plugin system: kinds, components, the registry of installed plugins, and `build`.

The façade for the rest of stnkit. Its names are imported when they are first used, so that `stnkit --help` imports
neither torch nor Hydra.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stnkit.plugin_system.building import build, chosen_component, construct, name_and_options
    from stnkit.plugin_system.commands import announced_commands, command_named
    from stnkit.plugin_system.components import Command, Component
    from stnkit.plugin_system.declarations import check_declarations, run_control_options
    from stnkit.plugin_system.discovery import Source, installed_plugins
    from stnkit.plugin_system.docstrings import description, parameter_lines
    from stnkit.plugin_system.hookspecs import API_VERSION, hookimpl
    from stnkit.plugin_system.hydra_configs import check_not_shadowed, component_node, register_component_groups
    from stnkit.plugin_system.kinds import KINDS, Kind, kind_named, kind_of
    from stnkit.plugin_system.loggers import OWN_LOGGERS, MakeLogger
    from stnkit.plugin_system.options import REQUIRED, Option, options_of, parameters_of, validate_options
    from stnkit.plugin_system.registry import Broken, PluginWarning, Registered, Registry, plugin_registry, shadowed
    from stnkit.plugin_system.used import plugins_used

_MODULES = {
    "API_VERSION": "hookspecs",
    "Broken": "registry",
    "Command": "components",
    "Component": "components",
    "KINDS": "kinds",
    "Kind": "kinds",
    "MakeLogger": "loggers",
    "OWN_LOGGERS": "loggers",
    "Option": "options",
    "PluginWarning": "registry",
    "REQUIRED": "options",
    "Registered": "registry",
    "Registry": "registry",
    "Source": "discovery",
    "announced_commands": "commands",
    "build": "building",
    "check_declarations": "declarations",
    "check_not_shadowed": "hydra_configs",
    "chosen_component": "building",
    "command_named": "commands",
    "component_node": "hydra_configs",
    "construct": "building",
    "description": "docstrings",
    "hookimpl": "hookspecs",
    "installed_plugins": "discovery",
    "kind_named": "kinds",
    "kind_of": "kinds",
    "name_and_options": "building",
    "options_of": "options",
    "parameter_lines": "docstrings",
    "parameters_of": "options",
    "plugin_registry": "registry",
    "plugins_used": "used",
    "register_component_groups": "hydra_configs",
    "run_control_options": "declarations",
    "shadowed": "registry",
    "validate_options": "options",
}

__all__ = [
    "API_VERSION",
    "KINDS",
    "OWN_LOGGERS",
    "REQUIRED",
    "Broken",
    "Command",
    "Component",
    "Kind",
    "MakeLogger",
    "Option",
    "PluginWarning",
    "Registered",
    "Registry",
    "Source",
    "announced_commands",
    "build",
    "check_declarations",
    "check_not_shadowed",
    "chosen_component",
    "command_named",
    "component_node",
    "construct",
    "description",
    "hookimpl",
    "installed_plugins",
    "kind_named",
    "kind_of",
    "name_and_options",
    "options_of",
    "parameter_lines",
    "parameters_of",
    "plugin_registry",
    "plugins_used",
    "register_component_groups",
    "run_control_options",
    "shadowed",
    "validate_options",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'stnkit.plugin_system' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"stnkit.plugin_system.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
