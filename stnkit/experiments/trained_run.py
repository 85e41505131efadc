"""A trained run from its directory: the network with its weights, and the data that it was trained on."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities.seed import isolate_rng
from omegaconf.errors import OmegaConfBaseException

from stnkit.errors import CheckpointError, InputError
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.data.seeds import generator
from stnkit.experiments.loop.components import build_components
from stnkit.experiments.loop.stages import observed
from stnkit.experiments.placement import TransformedNetwork
from stnkit.experiments.run_directory.checkpoints import (
    kept_checkpoint,
    network_weights,
    objective_weights,
    read_checkpoint,
)
from stnkit.experiments.run_directory.directories import typed_training
from stnkit.experiments.run_directory.record import read_record
from stnkit.objectives import Batch, Objective


@dataclass(frozen=True)
class TrainedRun:
    """A trained run, as `load_run` returns it.

    Args:
        network: logits of images, on the CPU and in eval mode; `network.transformer` stands at the input.
        objective: of the run, with its weights, on the CPU and in eval mode.
        data: the dataset under its distortion; `data.fixed("test")` has the images, labels and θ of the test.
            `images[:8]` computes eight of the images, and `rows([3, 5])` two with their labels and θ.
        config: of the run, resolved, as plain values.
        metrics: the content of metrics.json.
    """

    network: TransformedNetwork
    objective: Objective
    data: DistortedData
    config: dict[str, Any]
    metrics: dict[str, Any]

    def batch(self, drawn: Distorted) -> Batch:
        """The images with θ, the straightened images and the output of the network, as `objective.measure` takes them.

        Args:
            drawn: images with targets and θ, such as `data.fixed("test").rows(slice(8))`.
        """
        return observed(self.network, drawn, self.data.distortion, generator("pictures"))


def load_run(run_dir: str | os.PathLike[str], *, dataset: Mapping[str, Any] | None = None) -> TrainedRun:
    """The network of a run with the weights that it kept (`training.keep`). The global random states do not change.

        run = stnkit.load_run("runs/2025-01-01_12-00-00_ab12")
        test = run.data.fixed("test")
        transformed = run.network.transformer(test.images[:8])

    Args:
        run_dir: of any run with metrics.json and a checkpoint, completed or not.
        dataset: options of the dataset that differ on this machine, such as `{"root": "data/mnist"}`.

    Raises:
        InputError: when `run_dir` is no run directory, or a component cannot be built.
        CheckpointError: when the checkpoint is missing or damaged, or does not fit the config.
    """
    run_dir = Path(run_dir)
    try:
        metrics = read_record(run_dir)
    except ValueError as error:
        raise InputError(f"{run_dir}: its metrics.json is damaged: {error}") from error
    if metrics is None:
        raise InputError(f"expected a run directory, got {run_dir}, which has no metrics.json")
    if not isinstance(metrics.get("config"), dict):
        raise InputError(f"{run_dir}: expected a config in its metrics.json, got none")
    try:
        config = metrics["config"] | {"dataset": {**metrics["config"]["dataset"], **(dataset or {})}}
        training = typed_training(config["training"])
        path = kept_checkpoint(run_dir, training.keep)
        checkpoint = read_checkpoint(path)
        with isolate_rng():
            components = build_components(config, training)
    except (KeyError, TypeError, OmegaConfBaseException) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{run_dir}: its config does not fit this version of stnkit: {first}") from error
    try:
        components.network.load_state_dict(network_weights(checkpoint))
        components.task.objective.load_state_dict(objective_weights(checkpoint))
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"checkpoint {path} does not fit the config of its run: {' '.join(str(error).split())}"
        ) from error
    return TrainedRun(components.network.eval(), components.task.objective.eval(), components.data, config, metrics)
