"""The plugin system: kinds, components, the registry of installed plugins, and `build`.

Its names are imported when they are first used, so that `stnkit --help` imports neither torch nor Hydra.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stnkit.plugin_system.building import build
    from stnkit.plugin_system.components import Command, Component
    from stnkit.plugin_system.hookspecs import hookimpl
    from stnkit.plugin_system.kinds import KINDS, Kind, kind_named, kind_of
    from stnkit.plugin_system.options import Option, options_of
    from stnkit.plugin_system.registry import PluginWarning, Registered, Registry, plugin_registry

_MODULES = {
    "Command": "components",
    "Component": "components",
    "KINDS": "kinds",
    "Kind": "kinds",
    "Option": "options",
    "PluginWarning": "registry",
    "Registered": "registry",
    "Registry": "registry",
    "build": "building",
    "hookimpl": "hookspecs",
    "kind_named": "kinds",
    "kind_of": "kinds",
    "options_of": "options",
    "plugin_registry": "registry",
}

__all__ = [
    "KINDS",
    "Command",
    "Component",
    "Kind",
    "Option",
    "PluginWarning",
    "Registered",
    "Registry",
    "build",
    "hookimpl",
    "kind_named",
    "kind_of",
    "options_of",
    "plugin_registry",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'stnkit.plugin_system' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"stnkit.plugin_system.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
