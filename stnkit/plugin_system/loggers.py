"""Loggers that plugins add to those of a run: each is a name and a function that makes a Lightning logger."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stnkit.errors import PluginError
from stnkit.plugin_system.discovery import Plugin

# stnkit's own loggers, whose names a plugin cannot take.
OWN_LOGGERS = ("csv", "tensorboard", "wandb", "mlflow")

# (config of the run as plain values, run directory) -> a Lightning logger.
MakeLogger = Callable[[dict[str, Any], Path], Any]


def loggers_of(plugin: Plugin) -> list[tuple[str, MakeLogger]]:
    """The loggers that a plugin yields.

    Args:
        plugin: imported.

    Raises:
        PluginError: when it yields anything but pairs of a name of its own and a function.
    """
    loggers = plugin.call("stnkit_loggers")
    for pair in loggers:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str) or not callable(pair[1]):
            raise PluginError(f"stnkit_loggers: expected a pair of a name and a function, got {pair!r}")
        name = pair[0]
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise PluginError(
                f"stnkit_loggers: expected a name of a letter, then letters, digits and underscores, got {name!r}"
            )
        if name in OWN_LOGGERS:
            raise PluginError(f"the logger {name!r} is stnkit's own and cannot be taken")
    return loggers
