"""The hooks that a plugin implements."""

from collections.abc import Iterable
from typing import Any

import pluggy

from stnkit.plugin_system.components import Command, Component

# The version of the plugin API. A module may name the one it is written for, `stnkit_api = 2`; the default is the
# current one. A change that breaks plugins raises API_VERSION; OLDEST_API_VERSION follows when the old way is removed.
API_VERSION = 2
OLDEST_API_VERSION = 1

# Hooks of plugin API 1 and their successors; a plugin that implements one works, with a warning.
RENAMED_HOOKS = {"stnkit_verbs": "stnkit_commands"}

hookspec = pluggy.HookspecMarker("stnkit")
hookimpl = pluggy.HookimplMarker("stnkit")


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
def stnkit_loggers() -> Iterable[tuple[str, Any]]:  # type: ignore[empty-body]
    """Yield loggers for `training.loggers`: a name, and a function (config, run_dir) ↦ Lightning logger."""


@hookspec
def stnkit_commands() -> Iterable[Command]:  # type: ignore[empty-body]
    """Yield commands of the command line; each needs an entry point `command.NAME`, by which it is found."""


@hookspec
def stnkit_verbs() -> Iterable[Command]:  # type: ignore[empty-body]
    """Yield commands, under the name that this hook had in plugin API 1 (entry points `verb.NAME`)."""


@hookspec
def stnkit_search_paths() -> Iterable[str]:  # type: ignore[empty-body]
    """Yield folders of YAML for Hydra: `pkg://my_package.conf`, or `file:///a/folder`."""
