"""The composed config of a job as plain values, after the checks that Hydra leaves out."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from stnkit.cli import hydra_internals
from stnkit.cli.hydra_errors import sentence
from stnkit.cli.nearest import did_you_mean
from stnkit.errors import InputError
from stnkit.experiments.run_directory.directories import plain_config
from stnkit.experiments.schema import TrainConfig
from stnkit.plugin_system import KINDS, check_not_shadowed, options_of, plugin_registry


def checked_config(config: DictConfig, runtime: Any) -> dict[str, Any]:
    """The config as plain values, enums by their names.

    Args:
        config: composed.
        runtime: Hydra's, of the same job.

    Raises:
        PluginError: when a chosen component has the name of a YAML file.
        InputError: when an option is unknown, as `+` can add one, or cannot be resolved, or when a required one has no
            value.
    """
    check_not_shadowed(runtime.choices, hydra_internals.search_paths(runtime))
    try:
        plain = plain_config(config)
        OmegaConf.merge(OmegaConf.structured(TrainConfig), plain)
    except OmegaConfBaseException as error:
        raise InputError(sentence(error)) from error
    _check_components(plain)
    deleted = [option.name for option in dataclasses.fields(TrainConfig) if option.name not in plain]
    if missing := deleted + sorted(OmegaConf.missing_keys(OmegaConf.create(plain))):
        raise InputError(f"{', '.join(missing)} must be given, as in {missing[0]}=VALUE")
    return plain


def _check_components(config: Mapping[str, Any]) -> None:
    for kind in KINDS:
        given: dict[str, Any] = config[kind] if isinstance(config.get(kind), dict) else {}
        for provider in plugin_registry().providers(kind, str(given.get("name")))[:1]:
            known = ["name", *(option.name for option in options_of(provider.component))]
            for name in [name for name in given if name not in known]:
                near = did_you_mean(f"{kind}.{name}", [f"{kind}.{other}" for other in known])
                raise InputError(f"there is no {kind}.{name}; {near or f'the keys of {kind} are ' + ', '.join(known)}")
