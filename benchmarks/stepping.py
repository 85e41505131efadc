"""`stnkit train`, and the loop that one would write by hand, as callables that make one training step each.

Timed in turn with any other contender: a step is everything from the choice of the images to the optimizer.
"""

import logging
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from unittest import mock

import lightning
import torch
import torch.nn.functional as F
from greenlet import getcurrent, greenlet
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf
from torch import Tensor

import stnkit
from stnkit.experiments.loop import run
from stnkit.experiments.loop.components import RunComponents, build_components, build_new_run
from stnkit.experiments.loop.task import ObjectiveTask, parameter_groups
from stnkit.experiments.placement import build_network
from stnkit.experiments.run_directory import directories
from stnkit.experiments.schema import TrainingConfig, register_schema
from stnkit.plugin_system.hydra_configs import register_component_groups

# A training that is quiet sets back what it found when it ends, which may be long after another has begun.
for _name in ("lightning.pytorch", "lightning.fabric"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Noise(stnkit.Dataset):
    """As many random bytes as MNIST has training images: the time does not depend on what is in an image.

    Args:
        channels: of an image.
    """

    n_classes = 10

    def __init__(self, channels: int = 1) -> None:
        self.image_shape = (channels, 28, 28)

    def split(self, name: str) -> tuple[Tensor, Tensor]:
        n = 60_000 if name == "train" else 256
        return torch.randint(256, (n, *self.image_shape), dtype=torch.uint8), torch.randint(self.n_classes, (n,))


class Training:
    """`stnkit train` one step at a time, on noise: a call goes on to the end of the next training step.

    It runs in a greenlet, which shares the thread with whoever calls: the threads of OpenMP, which are those of one
    thread of Python, are not doubled.

    Args:
        overrides: of the config, as on the command line.

    Attributes:
        network: what is trained.
    """

    network: torch.nn.Module

    def __init__(self, overrides: Sequence[str]) -> None:
        plain, training = config_of(overrides)
        # Before the greenlet, so that the folder is there until the training has ended.
        self._folder = tempfile.TemporaryDirectory()
        self._between = True
        make_trainer = run.make_trainer

        def with_noise(*args: Any) -> tuple[RunComponents, dict[str, Any]]:
            components, source = build_new_run(*args)
            components.data.dataset = Noise()
            self.network = components.network
            return components, source

        def with_hand_over(*args: Any) -> lightning.Trainer:
            trainer = make_trainer(*args)
            trainer.callbacks.append(_HandOver())
            return trainer

        directories.save_config(plain, Path(self._folder.name))
        self._greenlet = greenlet(lambda: run.train(plain, training, Path(self._folder.name)))
        try:
            with mock.patch.multiple(run, build_new_run=with_noise, make_trainer=with_hand_over), _same_handlers():
                self.ready()
        except BaseException:
            self.close()
            raise

    def ready(self) -> None:
        """Do what is between two epochs, where one has ended: called before a step, it leaves the step alone."""
        if self._between:
            self._go_on()
            self._between = False

    def __call__(self) -> Tensor:
        """Make one step.

        Returns:
            Its loss.
        """
        self.ready()
        loss, self._between = self._go_on()
        return loss

    def close(self) -> None:
        """End the training where it is, without its test, and remove what it wrote."""
        with _same_handlers(), warnings.catch_warnings():
            self._greenlet.throw()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def _go_on(self) -> Any:
        # Which warnings are shown is one for the process, and what the training has set went with the last switch.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = self._greenlet.switch()
        if self._greenlet.dead:
            raise RuntimeError("the training has ended: it takes a larger training.epochs")
        return result


class _HandOver(lightning.Callback):
    """Hands over to whoever waits for a step: at the start of an epoch, and with the loss after every batch."""

    def on_train_epoch_start(self, *args: object) -> None:
        getcurrent().parent.switch()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, *args: object
    ) -> None:
        getcurrent().parent.switch((outputs["loss"], trainer.is_last_batch))


@contextmanager
def _same_handlers() -> Iterator[None]:
    """Undo what a training does with signals until it ends: others are running when they come."""
    main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM) if main}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def config_of(overrides: Sequence[str]) -> tuple[dict[str, Any], TrainingConfig]:
    """The config of `stnkit train` as plain values, and its training section, typed.

    Args:
        overrides: as on the command line; they win over no progress bar and more epochs than will be measured.
    """
    register_schema()
    register_component_groups()
    directories.register_resolvers()
    with initialize_config_module("stnkit.conf", version_base="1.3"):
        config = compose("train", ["training.progress=false", "training.epochs=1000", *overrides])
    plain: Any = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    return plain, directories.typed_training(plain["training"])


def by_hand(overrides: Sequence[str]) -> Callable[[], Tensor]:
    """One step of a loop over the same components, as one would write it, with the same optimizer and schedule.

    Args:
        overrides: of the config, as for `Training`.

    Returns:
        What makes a step, and returns its loss.
    """
    plain, training = config_of(overrides)
    components = build_components(plain, training)
    network, distortion = components.network.train(), components.data.distortion
    images, labels = Noise().split("train")
    groups = parameter_groups(network, training)
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler | None = None
    if training.optimizer == "adamw":
        optimizer = torch.optim.AdamW(groups)
    else:
        optimizer = torch.optim.SGD(groups, momentum=training.momentum)
    if training.schedule == "one_cycle":
        rates = [group["lr"] for group in groups]
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=1_000_000, cycle_momentum=False)
    elif training.schedule == "step":
        schedule = torch.optim.lr_scheduler.StepLR(optimizer, training.step_every, training.step_factor)

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator()
        while True:
            for chosen in torch.randperm(len(images), generator=generator).split(training.batch_size):
                theta = distortion.sample(len(chosen), generator)
                yield distortion.apply(images[chosen].float() / 255, theta, generator), labels[chosen]

    endless = batches()

    def step() -> Tensor:
        batch, target = next(endless)
        loss = F.cross_entropy(network(batch), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        return loss.detach()

    return step


def step_on_a_ready_batch(
    network: str, shape: tuple[int, ...], batch_size: int, **training: Any
) -> Callable[[], Tensor]:
    """One training step of a network behind an affine transformer, on a batch that is there.

    Forward, backward, optimizer, by hand.

    Args:
        network: its name.
        shape: (C, H, W) of the images.
        batch_size: of the batch.
        training: options of the training's config.

    Returns:
        What makes a step, and returns its loss.
    """
    precision = training.pop("precision", "32-true")
    config = {
        "network": {"name": network},
        "transform": {"name": "affine"},
        "localizer": {"name": "convolutional"},
        "sampler": {"name": "bilinear"},
        "out_size": None,
    }
    model = build_network(config, ["input"], shape, 10)
    objective = stnkit.build("objective", "classification", n_classes=10)
    task = ObjectiveTask(objective, model, TrainingConfig(**training), seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.rand(batch_size, *shape), torch.randint(10, (batch_size,))

    def step() -> Tensor:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            loss = F.cross_entropy(task(images).float(), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step
