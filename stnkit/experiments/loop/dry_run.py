"""A few steps of a run that writes nothing: the shapes, the time of a step and the memory that it takes."""

import itertools
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import lightning
import torch
from torch import Tensor

from stnkit.datasets import Dataset, Split
from stnkit.errors import DataError
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.loop.components import build_components, build_new_run
from stnkit.experiments.loop.environment import one_process
from stnkit.experiments.loop.memory import explain_memory, peak_memory
from stnkit.experiments.loop.smallest_batch import check_smallest_batch
from stnkit.experiments.loop.trainer import quiet_lightning, quiet_trainer
from stnkit.experiments.placement import TransformedNetwork
from stnkit.experiments.schema import TrainingConfig

STEPS, VALIDATION_BATCHES = 8, 3
# The first steps allocate memory and choose algorithms.
WARM_UP = 3


@dataclass
class Shapes:
    """The shapes of a batch at one transformer.

    Args:
        image: that arrives.
        theta: of all images.
        grid: where the image is read.
        output: of the transformer.
    """

    image: tuple[int, ...] = ()
    theta: tuple[int, ...] = ()
    grid: tuple[int, ...] = ()
    output: tuple[int, ...] = ()


@dataclass
class DryRun:
    """The findings of a dry run.

    Args:
        n_images: of each split; empty where the data cannot be read.
        no_data: the reason why not.
        n_classes: of the dataset.
        image_shape: (C, *size) of an original.
        in_shape: (C, *size) of a distorted image.
        n_parameters: that are trained, the transformers' included.
        shapes: by insertion point.
        steps_per_epoch: training steps; None where the data cannot be read.
        step_seconds: median time of a training step.
        validation_seconds: estimated time of a validation; None where the data cannot be read.
        device: on which it was measured.
        options_from_images: by insertion point, what the transform has taken from the images.
        charts: insertion points at which the transform is a chart.
        peak_bytes: largest memory that was in use on the device, or None where the system does not tell.
    """

    n_images: dict[Split, int]
    no_data: str
    n_classes: int
    image_shape: tuple[int, ...]
    in_shape: tuple[int, ...]
    n_parameters: int
    shapes: dict[str, Shapes] = field(default_factory=dict)
    steps_per_epoch: int | None = None
    step_seconds: float = 0.0
    validation_seconds: float | None = None
    device: str = ""
    options_from_images: dict[str, dict[str, Any]] = field(default_factory=dict)
    charts: list[str] = field(default_factory=list)
    peak_bytes: int | None = None


def dry_run(config: Mapping[str, Any], training: TrainingConfig) -> DryRun:
    """Build the components of a run and train for a few steps, on noise where the data cannot be read.

    Args:
        config: of the run, as plain values.
        training: its training section, typed.

    Raises:
        StnkitError: for a mistake that ends a run before its first steps, missing data excepted.
    """
    new = config["resume"] is None
    components = build_new_run(config, training)[0] if new else build_components(config, training)
    data, network = components.data, components.network
    found = DryRun(
        n_images={},
        no_data="",
        n_classes=data.dataset.n_classes,
        image_shape=tuple(data.dataset.image_shape),
        in_shape=data.in_shape,
        n_parameters=sum(parameter.numel() for parameter in network.parameters()),
        options_from_images=network.options_from_images(),
        charts=network.charts(),
    )
    splits: tuple[Split, ...] = ("train", "validation", "test")
    try:
        found.n_images = {split: len(data.split(split)[0]) for split in splits}
        found.steps_per_epoch = data.steps_per_epoch
    except DataError as missing:
        found.no_data = str(missing)
        noise = _Noise(data.dataset, training.batch_size)
        data = DistortedData(noise, data.distortion, data.batch_size, data.seed, data.dtype, data.augmentation)
        data.distorts_twice = components.data.distorts_twice
    check_smallest_batch(components.task, data, training.devices)
    clock = _Clock()
    try:
        with quiet_lightning(), one_process(), _shapes_recorded(network, found.shapes):
            trainer = quiet_trainer(
                training,
                max_epochs=1,
                limit_train_batches=STEPS,
                limit_val_batches=VALIDATION_BATCHES,
                callbacks=[clock],
            )
            trainer.fit(components.task, datamodule=data)
    except BaseException as caught:
        if (error := explain_memory(caught)) is caught:
            raise
        raise error from caught
    device = trainer.strategy.root_device
    found.device = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    found.step_seconds = clock.train_seconds()
    found.peak_bytes = peak_memory(device)
    if not found.no_data:
        found.validation_seconds = clock.validation_seconds() * len(data.val_dataloader())
    return found


class _Noise(Dataset):
    """Random images of the shape of a dataset, enough for the steps of a dry run."""

    def __init__(self, dataset: Dataset, batch_size: int) -> None:
        self.n_classes, self.image_shape = dataset.n_classes, tuple(dataset.image_shape)
        self.target_shape, self.pair = dataset.target_shape, dataset.pair
        self.batch_size = batch_size

    def split(self, name: Split) -> tuple[Tensor, Tensor]:
        n = self.batch_size * (STEPS if name == "train" else 1)
        images = torch.randint(0, 256, (n, *self.image_shape), dtype=torch.uint8)
        if self.n_classes < 1:
            return images, torch.zeros(n, *(self.target_shape or ()))
        labels = torch.arange(n) % self.n_classes
        return images, labels.view(-1, *[1] * len(self.target_shape or ())).expand(n, *(self.target_shape or ()))


class _Clock(lightning.Callback):
    """The times at which training steps and validation batches end."""

    def __init__(self) -> None:
        self.train: list[float] = []
        self.validation: list[float] = []

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._note(self.train, pl_module)

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *args: Any) -> None:
        self._note(self.train, pl_module)

    def on_validation_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._note(self.validation, pl_module)

    def on_validation_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *args: Any
    ) -> None:
        self._note(self.validation, pl_module)

    def train_seconds(self) -> float:
        """The median time of a step, without the first ones."""
        seconds = _differences(self.train)
        return statistics.median(seconds[WARM_UP:] or seconds)

    def validation_seconds(self) -> float:
        """The median time of a validation batch."""
        return statistics.median(_differences(self.validation) or [0.0])

    def _note(self, times: list[float], module: lightning.LightningModule) -> None:
        if module.device.type == "cuda":
            torch.cuda.synchronize(module.device)
        times.append(time.perf_counter())


def _differences(times: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise(times)]


@contextmanager
def _shapes_recorded(network: TransformedNetwork, shapes: dict[str, Shapes]) -> Iterator[None]:
    """Note the shapes of the first batch at every transformer."""
    with ExitStack() as handles:
        for point, transformer in network.transformers().items():
            own = shapes[point] = Shapes()

            def note_theta(module: Any, args: Any, theta: Tensor, own: Shapes = own) -> None:
                own.theta = own.theta or tuple(theta.shape)

            def note_images(module: Any, args: Any, output: Tensor, own: Shapes = own) -> None:
                own.image = own.image or tuple(args[0].shape)
                own.output = own.output or tuple(output.shape)
                own.grid = own.grid or (len(output), *own.output[2:], output.ndim - 2)

            for module, note in ((transformer.theta_probe, note_theta), (transformer, note_images)):
                handles.callback(module.register_forward_hook(note).remove)
        yield
