"""The composed config of a job as plain values, after the checks that Hydra leaves out."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from stnkit.cli import hydra_internals
from stnkit.errors import InputError
from stnkit.experiments.run_directory.directories import plain_config
from stnkit.plugin_system import check_not_shadowed


def checked_config(config: DictConfig, runtime: Any) -> dict[str, Any]:
    """The config as plain values, enums by their names.

    Args:
        config: composed.
        runtime: Hydra's, of the same job.

    Raises:
        PluginError: when a chosen component has the name of a YAML file.
        InputError: when a required option has no value.
    """
    check_not_shadowed(runtime.choices, hydra_internals.search_paths(runtime))
    plain = plain_config(config)
    if missing := sorted(OmegaConf.missing_keys(OmegaConf.create(plain))):
        raise InputError(f"{', '.join(missing)} must be given, as in {missing[0]}=VALUE")
    return plain
