"""The components of a run, built from its config before any data is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch

from stnkit.datasets import Dataset
from stnkit.errors import InputError
from stnkit.experiments.data.augmentation import build_augmentation
from stnkit.experiments.data.checks import checked_class_names
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.volume_layout import layout_named
from stnkit.experiments.loop.initial_parts import checked_parts
from stnkit.experiments.loop.initial_weights import load_initial_weights, transform_inits
from stnkit.experiments.loop.loggers import check_loggers
from stnkit.experiments.loop.memory import check_memory
from stnkit.experiments.loop.objective_needs import (
    build_objective,
    check_data_needs,
    check_network_needs,
    objective_name,
)
from stnkit.experiments.loop.objective_returns import check_attributes
from stnkit.experiments.loop.second_draw import draws_anew
from stnkit.experiments.loop.task import ObjectiveTask
from stnkit.experiments.placement import TransformedNetwork, build_network, input_transformer
from stnkit.experiments.run_directory.recorded_figures import check_sweep_objective
from stnkit.experiments.schema import FLOAT64, TrainingConfig
from stnkit.objectives import Setting
from stnkit.plugin_system import build


@dataclass(frozen=True)
class RunComponents:
    """The components of a run.

    Args:
        data: the dataset under its distortion; nothing is read yet.
        network: with its transformers.
        task: the Lightning task that trains the network.
    """

    data: DistortedData
    network: TransformedNetwork
    task: ObjectiveTask


def build_components(
    config: Mapping[str, Any], training: TrainingConfig, dataset: Dataset | None = None
) -> RunComponents:
    """Validate the training section, then build dataset, distortion, objective, network and task.

    Args:
        config: of the run, as plain values.
        training: its training section, typed.
        dataset: in place of that of the config.

    Raises:
        StnkitError: when an option is out of its range, or a component cannot be built or does not fit another.
    """
    training.validate()
    check_loggers(training.loggers)
    if not 0 <= config["seed"] < 2**32:  # NumPy's limit
        raise InputError(f"seed: expected a whole number from 0 to {2**32 - 1}, got {config['seed']}")
    lightning.seed_everything(config["seed"], verbose=False)
    dataset = build("dataset", config["dataset"]) if dataset is None else dataset
    checked_class_names(dataset)
    distortion = build("distortion", config["distortion"], image_shape=dataset.image_shape)
    dtype = torch.float64 if training.precision == FLOAT64 else torch.float32
    augmentation = build_augmentation(training.augmentation, dataset.image_shape)
    data = DistortedData(dataset, distortion, training.batch_size, config["seed"], dtype, augmentation)
    check_memory(config["out_size"], data.in_shape[0], training.batch_size)
    objective = build_objective(config, dataset, data.in_shape)
    check_data_needs(config, objective, dataset, distortion)
    outputs = objective.n_outputs(dataset)
    with layout_named(dataset):
        network = build_network(config, in_shape=data.in_shape, n_classes=outputs, **config["placement"])
    check_network_needs(config, objective, network)
    objective.prepare(Setting(dataset, distortion, data.in_shape, input_transformer(network)))
    check_attributes(objective)
    check_sweep_objective(config.get("sweep_objective"), ["loss", *objective.figures, *objective.terms])
    network.to(dtype)
    objective.to(dtype)
    called = objective_name(config)
    task = ObjectiveTask(objective, network, training, config["seed"], distortion, lambda: draws_anew(data), called)
    data.distorts_twice = task.theta_loss.reads_again
    return RunComponents(data, network, task)


def check_start(config: Mapping[str, Any]) -> None:
    """Check that a run that begins uses the options of its transformers, the θ and the weights it is to start from.

    Args:
        config: of the run, as plain values.

    Raises:
        InputError: for options of transformers where there is none, for a `transform_init` that the weights of
            `init_from` would replace, and for `init_parts` without `init_from`, or that are no names of parts.
    """
    init, parts, placement = config.get("transform_init"), config.get("init_parts"), config["placement"]
    if not placement["at"]:
        if init is not None:
            raise InputError(f"transform_init: expected null for a network without transformers, got {init}")
        for name in ("parallel", "recurrent"):
            if (n := placement.get(name, 1)) != 1:
                raise InputError(f"placement.{name}: expected 1 for a network without transformers, got {n}")
    if config.get("init_from") is None:
        if parts is not None:
            raise InputError(f"init_parts: expected null without init_from, got {parts}")
    elif parts is not None:
        checked_parts(parts)
    elif given := [start for start in transform_inits(config) if start is not None]:
        raise InputError(f"transform_init: expected null with init_from, whose weights include θ, got {given[0]}")


def build_new_run(
    config: Mapping[str, Any], training: TrainingConfig, run_dir: Path | None = None
) -> tuple[RunComponents, dict[str, Any]]:
    """The components of a run that begins, with the weights of `init_from`, and what its record says of these.

    Args:
        config: of the run, as plain values.
        training: its training section, typed.
        run_dir: of the run; None for one that has none.

    Raises:
        StnkitError: as `build_components`, and when the weights of `init_from` are not of this network, or
            `transform_init` or an option of the equivariance loss has no effect.
    """
    check_start(config)
    components, source = build_components(config, training), config.get("init_from")
    components.task.theta_loss.check_used()
    if source is None:
        return components, {}
    if run_dir is not None and Path(source).resolve() == run_dir.resolve():
        raise InputError(f"init_from={source}: expected another run, got the directory of this one")
    return components, {
        "init_from": load_initial_weights(components.network, source, config, components.task.objective)
    }
