"""The application's own config as typed dataclasses: a misspelt key or a wrong type fails before anything runs."""

import enum
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING


class Optimizer(enum.StrEnum):
    """Which optimizer."""

    adamw = "adamw"
    sgd = "sgd"


class Schedule(enum.StrEnum):
    """How the learning rate goes over the run."""

    constant = "constant"
    one_cycle = "one_cycle"  # up and down once, ending near zero, over all steps of the run
    step = "step"  # times `step_factor` every `step_every` steps


class Logger(enum.StrEnum):
    """Where per-epoch metrics go beside metrics.json."""

    csv = "csv"
    tensorboard = "tensorboard"


@dataclass
class EquivarianceConfig:
    """Ask that an image warped once more by a small random transform be brought to the same place."""

    weight: float = 0.0  # of the term in the loss; 0 for none
    degrees: float = 45.0  # rotation by U(−degrees, degrees)
    scale: float = 1.2  # scaling by 1/scale to scale, uniform in its logarithm
    shift: float = 0.0  # by U(−shift, shift) of the image's sides


@dataclass
class TrainingConfig:
    """How to train. What is not ours is Lightning's and named as there."""

    epochs: int = 80
    batch_size: int = 64
    optimizer: Optimizer = Optimizer.adamw
    learning_rate: float = 3e-3
    # The localizer's learning rate is this times the network's: a smaller one keeps θ from running away.
    localizer_scale: float = 0.3
    weight_decay: float = 0.01
    momentum: float = 0.0
    schedule: Schedule = Schedule.one_cycle
    step_every: int = 50_000
    step_factor: float = 0.1
    gradient_clip: float | None = None
    # Weight of a term that tells the transformer the true distortion; 1.0 for a transformer taught fully.
    supervision: float = 0.0
    equivariance: EquivarianceConfig = field(default_factory=EquivarianceConfig)
    checkpoint_every: int = 100  # steps
    loggers: list[Logger] = field(default_factory=lambda: [Logger.csv])
    progress: bool = True
    accelerator: str = "auto"
    devices: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    channels_last: bool = False  # the convolutions' memory format


@dataclass
class PlacementConfig:
    """Where spatial transformers go."""

    at: list[str] = MISSING  # `input`, or submodules of the network: in front of them
    parallel: int = 1  # so many beside each other, their outputs one after the other on the channels
    recurrent: int = 1  # so many looks of each localizer, for transforms that compose
    # For a place of `at`, what is other there: transform, localizer, sampler, out_size, parallel, recurrent.
    parts: dict[str, Any] = field(default_factory=dict)


@dataclass
class TrainConfig:
    """A run: which parts, where, how trained, from which seed."""

    transform: Any = MISSING
    localizer: Any = MISSING
    sampler: Any = MISSING
    network: Any = MISSING
    dataset: Any = MISSING
    distortion: Any = MISSING
    training: TrainingConfig = field(default_factory=TrainingConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    out_size: list[int] | None = None  # of the transformer at the input; by default the size of the image
    seed: int = 0
    resume: str | None = None  # run directory of an interrupted run
    skip_completed: bool = False  # leave what is completed alone, go on with what was interrupted


def register_schema() -> None:
    """Store the dataclasses; train.yaml and the files of a group name them first in their defaults."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig, provider="stnkit")
    store.store(group="schema", name="training", node=TrainingConfig, provider="stnkit")
    store.store(group="schema", name="placement", node=PlacementConfig, provider="stnkit")
