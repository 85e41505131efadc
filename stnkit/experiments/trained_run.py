"""A trained run from its directory: the network with its weights, and the data that it was trained on."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from lightning.pytorch.utilities.seed import isolate_rng
from omegaconf.errors import OmegaConfBaseException
from torch import Tensor

from stnkit.datasets import Dataset
from stnkit.errors import CheckpointError, DataError, InputError, first_line
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.data.recorded import RecordedDataset, difference
from stnkit.experiments.data.seeds import generator
from stnkit.experiments.loop.components import build_components
from stnkit.experiments.loop.stages import observed
from stnkit.experiments.placement import TransformedNetwork
from stnkit.experiments.rectification.rectified import Rectified
from stnkit.experiments.rectification.rectifier import Rectifier
from stnkit.experiments.rectification.rectify import rectify
from stnkit.experiments.rectification.trained_values import TrainedValues
from stnkit.experiments.run_directory.checkpoints import (
    kept_checkpoint,
    network_weights,
    objective_weights,
    read_checkpoint,
)
from stnkit.experiments.run_directory.directories import typed_training
from stnkit.experiments.run_directory.record import read_record
from stnkit.experiments.run_directory.recorded_plugins import naming_packages, warn_of_other_versions
from stnkit.files.paths import as_path
from stnkit.objectives import Batch, Objective
from stnkit.plugin_system import build


@dataclass(frozen=True)
class TrainedRun:
    """A trained run, as `load_run` returns it.

    Args:
        network: logits of images, on the CPU and in eval mode; `network.transformer` stands at the input.
        objective: of the run, with its weights, on the CPU and in eval mode.
        data: the dataset under its distortion; `data.fixed("test")` has the images, labels and θ of the test.
            `images[:8]` computes eight of the images, and `rows([3, 5])` two with their labels and θ. Where the images
            are no longer those of the training, or not there, reading them raises an error, and nothing else does.
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

    def rectify(
        self,
        image: Tensor,
        *,
        size: Sequence[int] | np.ndarray | Tensor | None = None,
        scale: float | None = None,
        sampler: str | Mapping[str, Any] | None = None,
        padding: str | None = None,
        number: int = 0,
    ) -> Rectified:
        """An image through the transformer at the input, at its full resolution, as `stnkit apply` gives it.

        The localizer sees the image at the size it was trained for. Where a folder of images was cropped or padded to
        that size, θ refers to that frame, and the output has its shape. Where it was stretched, a rotation of the view
        shears an image of another aspect than the view of the network.

            image = torchvision.io.decode_image("photo.jpg")
            straight = run.rectify(image).image

        The result takes masks and points through the same map: `Rectified.warp`, `to_output` and `to_image`.

        Args:
            image: (C, H, W) or (C, D, H, W), uint8 or floating-point in the range of the training images; with their
                channels, or gray for RGB and RGB for gray.
            size: of the output, (H, W); None for that of the image, so that a pixel of the output is as large as one
                of the image.
            scale: of that size, above 0.
            sampler: a name, or a mapping with options, such as {"name": "antialiased"}; None for the run's.
            padding: of the sampler; None for its own.
            number: of the transformer, of several in parallel.

        Raises:
            InputError: when the run has no transformer at the input or registers pairs, the image has another number of
                channels or axes, or quite another range of values, or an option is out of its range.
        """
        return rectify(self.rectifier(sampler=sampler, padding=padding), image, size=size, scale=scale, number=number)

    def rectifier(self, *, sampler: str | Mapping[str, Any] | None = None, padding: str | None = None) -> Rectifier:
        """The transformer at the input for images of any size, as `rectify` and `stnkit apply` use it.

        Args:
            sampler: a name, or a mapping with options; None for the run's.
            padding: of the sampler; None for its own.

        Raises:
            InputError: when the run has no transformer at the input or registers pairs, or there is no such sampler.
        """
        values = TrainedValues.of_metrics(self.metrics)
        return Rectifier(
            self.network, self.objective, self.data, self.config, sampler=sampler, padding=padding, values=values
        )


def load_run(run_dir: str | os.PathLike[str], *, dataset: Mapping[str, Any] | None = None) -> TrainedRun:
    """The network of a run with the weights that it kept (`training.keep`). The global random states do not change.

        run = stnkit.load_run("runs/2025-01-01_12-00-00_ab12")
        test = run.data.fixed("test")
        transformed = run.network.transformer(test.images[:8])

    Args:
        run_dir: of any run with metrics.json and a checkpoint, completed or not.
        dataset: options of the dataset that differ on this machine, such as `{"root": "data/mnist"}`. Without them
            the run can be used where its images are not.

    Raises:
        InputError: when `run_dir` is no run directory, a component cannot be built, or the dataset of these options
            has other images or classes than that of the training.
        DataError: when it is not there.
        CheckpointError: when the checkpoint is missing or damaged, or does not fit the config.
    """
    run_dir = as_path("run_dir", run_dir)
    if dataset is not None and not isinstance(dataset, Mapping):
        raise InputError(f"dataset: expected a mapping of options, got {type(dataset).__name__}")
    try:
        metrics = read_record(run_dir)
    except ValueError as error:
        raise InputError(f"{run_dir}: its metrics.json is damaged: {error}") from error
    if metrics is None:
        raise InputError(f"expected a run directory, got {run_dir}, which has no metrics.json")
    if not isinstance(metrics.get("config"), dict):
        raise InputError(f"{run_dir}: expected a config in its metrics.json, got none")
    warn_of_other_versions(metrics, str(run_dir))
    try:
        config = metrics["config"] | {"dataset": {**metrics["config"]["dataset"], **(dataset or {})}}
        training = typed_training(config["training"])
        path = kept_checkpoint(run_dir, training.keep)
        checkpoint = read_checkpoint(path)
        with isolate_rng(), naming_packages(metrics):
            components = build_components(config, training, _dataset(config, metrics, moved=bool(dataset)))
    except (KeyError, TypeError, OmegaConfBaseException) as error:
        raise InputError(f"{run_dir}: its config does not fit this version of stnkit: {first_line(error)}") from error
    try:
        components.network.load_state_dict(network_weights(checkpoint))
        components.task.objective.load_state_dict(objective_weights(checkpoint))
    except (KeyError, RuntimeError) as error:
        raise CheckpointError(
            f"checkpoint {path} does not fit the config of its run: {' '.join(str(error).split())}"
        ) from error
    return TrainedRun(components.network.eval(), components.task.objective.eval(), components.data, config, metrics)


def _dataset(config: Mapping[str, Any], metrics: Mapping[str, Any], *, moved: bool) -> Dataset:
    """The dataset of a run, or the record of it where it is not there or has changed, unless the caller chose it."""
    try:
        dataset = build("dataset", config["dataset"])
        if told := difference(metrics, dataset):
            raise InputError(f"dataset: {told}")
    except (DataError, InputError) as error:
        if moved or "dataset" not in metrics:
            raise
        return RecordedDataset(metrics, error)
    return dataset
