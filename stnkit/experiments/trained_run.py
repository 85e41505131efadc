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
from stnkit.experiments.loop.run import build_parts
from stnkit.experiments.placement import TransformedNetwork
from stnkit.experiments.run_directory.checkpoints import last_checkpoint, read_checkpoint
from stnkit.experiments.run_directory.directories import typed_training
from stnkit.experiments.run_directory.record import read_record


@dataclass(frozen=True)
class TrainedRun:
    """What `load_run` gives.

    Args:
        network: logits of images, on the CPU and in eval mode; its `transformer` straightens them.
        data: the run's dataset under its distortion; `data.fixed("test")` has the images, labels and θ of its test.
            Nothing is read before it is asked for.
        config: of the run, resolved, as plain values.
        metrics: what its metrics.json says.
    """

    network: TransformedNetwork
    data: DistortedData
    config: dict[str, Any]
    metrics: dict[str, Any]


def load_run(run_dir: str | os.PathLike[str], *, dataset: Mapping[str, Any] | None = None) -> TrainedRun:
    """The network of a run with the weights of its last checkpoint. Random states stay as they are.

        run = stnkit.load_run("runs/2025-01-01_12-00-00_ab12")
        test = run.data.fixed("test")
        straightened = run.network.transformer(test.images[:8])

    Args:
        run_dir: of a run that is completed or not: it needs metrics.json and a checkpoint.
        dataset: options of the dataset that are others here, such as `{"root": "data/mnist"}`.

    Raises:
        InputError: when that is no run directory, or a part cannot be built.
        CheckpointError: when there is no checkpoint, it is damaged, or does not fit the config.
    """
    run_dir = Path(run_dir)
    try:
        metrics = read_record(run_dir)
    except ValueError as error:
        raise InputError(f"{run_dir}: its record is damaged: {error}") from error
    if metrics is None:
        raise InputError(f"{run_dir} is no run directory: it has no metrics.json")
    if not isinstance(metrics.get("config"), dict):
        raise InputError(f"{run_dir}: its record holds no config")
    path = last_checkpoint(run_dir)
    weights = read_checkpoint(path)
    try:
        config = metrics["config"] | {"dataset": {**metrics["config"]["dataset"], **(dataset or {})}}
        with isolate_rng():
            parts = build_parts(config, typed_training(config["training"]))
    except (KeyError, TypeError, OmegaConfBaseException) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{run_dir}: its config is none of this version of stnkit: {first}") from error
    try:
        parts.task.load_state_dict(weights["state_dict"])
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"checkpoint {path} does not fit the config of its run: {' '.join(str(error).split())}"
        ) from error
    return TrainedRun(parts.network.eval(), parts.data, config, metrics)
