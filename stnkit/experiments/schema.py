"""The application's own config as typed dataclasses, so that a misspelled key or a wrong type fails early."""

import enum
import math
from dataclasses import dataclass, field, fields
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from stnkit.errors import InputError

# Key of a field's metadata: the values that it may have, where its type is wider.
CHOICES = "choices"
FLOAT64 = "64-true"
# True half precisions cast θ and coordinates too; mixed ones keep both in float32.
PRECISIONS = ("32-true", FLOAT64, "16-mixed", "bf16-mixed")
# The strategies that average gradients over processes; a run on one device needs none of them.
STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true")


class Optimizer(enum.StrEnum):
    """Name of an optimizer of `torch.optim`."""

    adamw = "adamw"
    sgd = "sgd"


class Schedule(enum.StrEnum):
    """Schedule of the learning rate over the run."""

    constant = "constant"
    one_cycle = "one_cycle"
    step = "step"


class Keep(enum.StrEnum):
    """The epoch whose weights a completed run holds, tests and reports."""

    last = "last"
    best = "best"


@dataclass
class EquivarianceConfig:
    """A loss that asks for the same output when an image is warped by a small random Δ.

    Args:
        weight: weight of the equivariance loss; 0 turns it off. By default it is 10 where the distortion has a milder
            one of its kind, one transformer of two dimensions reads single images, and nothing supervises θ; else 0.
        degrees: rotation by U(−degrees, degrees). With null for degrees, scale and shift, Δ is the milder distortion,
            or 45, 1.2 and 0 where there is none; otherwise null is for 45, 1.2 or 0.
        scale: scaling by 1/scale to scale, uniform in its logarithm.
        shift: translation by U(−shift, shift) of the image's sides.
        common_pose: weight of a loss that asks for one pose of all originals, from a second distortion of each, which
            the localizer alone sees. By default it is 3 where Δ is the milder distortion and its strength above 0, else
            0.
        augment: the warped images are images of the objective too, at twice the cost; otherwise the localizer alone
            sees them.
    """

    weight: float | None = None
    degrees: float | None = None
    scale: float | None = None
    shift: float | None = None
    common_pose: float | None = None
    augment: bool = False

    def validate(self) -> None:
        """Raise an InputError if an option is out of its range."""
        ranges = {
            "weight": (0, math.inf),
            "common_pose": (0, math.inf),
            "degrees": (0, 180),
            "scale": (1, math.inf),
            "shift": (0, math.inf),
        }
        for name, (low, high) in ranges.items():
            if (value := getattr(self, name)) is not None:
                _check_range(f"training.equivariance.{name}", value, low, high)


@dataclass
class TrainingConfig:
    """Options of training. Those passed on to Lightning have its names.

    Args:
        epochs: passes over the training images.
        batch_size: images per step, over all devices.
        optimizer: optimizer of all parameters.
        learning_rate: learning rate of the network; with a schedule, its maximum.
        localizer_scale: learning rate of the transformers, relative to the network's; below 1 keeps θ from running
            away.
        weight_decay: weight decay of all parameters except the offset of θ.
        momentum: momentum of SGD; ignored by AdamW.
        schedule: learning-rate schedule: constant; one_cycle, which rises and falls once over the run; step, which
            multiplies by `step_factor` every `step_every` steps.
        step_every: steps between two changes of the learning rate by the schedule `step`.
        step_factor: factor of the learning rate at each change by the schedule `step`.
        gradient_clip: largest norm of the gradient of all parameters; null turns clipping off.
        supervision: weight of a loss that compares θ with the true distortion; 0 turns it off.
        equivariance: loss on images that are warped once more.
        augmentation: a distortion, its name or a mapping with `name` and options, by which every training image is
            warped in front of its own distortion, as {name: elastic, scale: [1, 1], std: 0.5}; null for none.
        keep: epoch whose weights are tested and reported: last; or best, the one with the best primary figure of the
            objective in validation, such as the lowest validation error.
        patience: stop after this many epochs without a better primary figure in validation; null never stops.
        checkpoint_every: steps between two checkpoints; at most that many steps are lost after a kill.
        loggers: destinations of the figures of every epoch, besides metrics.json: csv, tensorboard, wandb, mlflow, or
            those of a plugin.
        progress: show a bar in a terminal, and elsewhere print a line for each epoch.
        accelerator: kind of device, by Lightning's name: auto, cpu, gpu, ….
        devices: number of devices, each with a process of its own.
        strategy: Lightning's strategy for several devices; auto is ddp.
        precision: Lightning's precision: 64-true for float64 throughout; mixed ones keep θ and coordinates in float32.
        channels_last: store the weights of convolutions in PyTorch's memory format channels_last.
    """

    epochs: int = 80
    batch_size: int = 64
    optimizer: Optimizer = Optimizer.adamw
    learning_rate: float = 3e-3
    localizer_scale: float = 1.0
    weight_decay: float = 0.01
    momentum: float = 0.0
    schedule: Schedule = Schedule.one_cycle
    step_every: int = 50_000
    step_factor: float = 0.1
    gradient_clip: float | None = None
    supervision: float = 0.0
    equivariance: EquivarianceConfig = field(default_factory=EquivarianceConfig)
    augmentation: Any = None
    keep: Keep = Keep.last
    patience: int | None = None
    checkpoint_every: int = 100
    loggers: list[str] = field(default_factory=lambda: ["csv"])
    progress: bool = True
    accelerator: str = "auto"
    devices: int = 1
    strategy: str = field(default="auto", metadata={CHOICES: STRATEGIES})
    precision: str = field(default="32-true", metadata={CHOICES: PRECISIONS})
    channels_last: bool = False

    def validate(self) -> None:
        """Check every range of the section.

        Raises:
            InputError: for an option out of its range; names it.
        """
        for name in ("epochs", "batch_size", "step_every", "checkpoint_every", "devices"):
            _check_range(f"training.{name}", getattr(self, name), 1)
        for name in ("learning_rate", "localizer_scale", "weight_decay", "momentum", "step_factor", "supervision"):
            _check_range(f"training.{name}", getattr(self, name), 0)
        self.equivariance.validate()
        if self.gradient_clip is not None and not 0 < self.gradient_clip < math.inf:
            raise InputError(f"training.gradient_clip: expected a number above 0 or null, got {self.gradient_clip}")
        if self.patience is not None:
            _check_range("training.patience", self.patience, 1)
        for option in fields(self):
            if CHOICES in option.metadata:
                _check_choice(f"training.{option.name}", getattr(self, option.name), option.metadata[CHOICES])
        if self.devices > 1 and self.batch_size < 2 * self.devices:
            raise InputError(
                f"training.batch_size: expected at least 2 images for each of the {self.devices} devices, "
                f"got {self.batch_size}"
            )


@dataclass
class PlacementConfig:
    """Insertion points of spatial transformers.

    Args:
        at: `input`, or submodules of the network by name: transformers are inserted in front of them.
        parallel: number of parallel transformers; outputs are concatenated along the channels.
        recurrent: number of passes through each localizer, for transforms that compose.
        pair: images are pairs: the localizer sees both, and the sampler reads the first, the moving image.
        parts: by insertion point, the options that differ there: transform, localizer, sampler, out_size, parallel,
            recurrent, transform_init.
    """

    at: list[str] = MISSING
    parallel: int = 1
    recurrent: int = 1
    pair: bool = False
    parts: dict[str, Any] = field(default_factory=dict)


@dataclass
class TrainConfig:
    """A run: its components, the insertion points, training and seed.

    Args:
        transform: family of maps.
        localizer: network that computes the features from which θ is regressed.
        sampler: interpolation that reads the image at the grid.
        network: classifier or encoder of the transformed image.
        objective: losses that the run minimizes, and the figures by which it is judged.
        dataset: images with targets.
        distortion: random distortion of the images, drawn anew in every epoch.
        training: options of training.
        placement: insertion points of the transformers.
        out_size: size of the output of the transformer at the input, as [H,W]; null for the size of the image.
        transform_init: θ of the transformers when training starts, as a list of numbers; or a window of the image, as
            {zoom:2,center:[0.5,0]}; null for the identity.
        seed: seed of weights, batches and distortions, a whole number from 0 to 4294967295.
        init_from: directory of another run of the same network, from whose weights the run starts.
        init_parts: parts of this network that start from parts of that of init_from, such as {network:network}; null
            for all of it. All else has new weights.
        resume: run directory of an interrupted run, which is continued; or of a completed one, with more epochs.
        skip_completed: skip completed runs, resume interrupted ones.
        overwrite: delete what an earlier run left in the run directory.
        dry_run: print what would run with an estimate of its time and memory, and write nothing.
        fail_fast: the first job of a sweep that fails ends the sweep.
        sweep_objective: figure of the kept epoch by which a sweeper chooses, such as validation_loss; null for the
            primary figure of the objective in validation. The test split is for reporting, not for choosing.
    """

    transform: Any = MISSING
    localizer: Any = MISSING
    sampler: Any = MISSING
    network: Any = MISSING
    objective: Any = MISSING
    dataset: Any = MISSING
    distortion: Any = MISSING
    training: TrainingConfig = field(default_factory=TrainingConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    out_size: list[int] | None = None
    transform_init: Any = None
    seed: int = 0
    init_from: str | None = None
    init_parts: Any = None
    resume: str | None = None
    skip_completed: bool = False
    overwrite: bool = False
    dry_run: bool = False
    fail_fast: bool = False
    sweep_objective: str | None = None


def register_schema() -> None:
    """Store the dataclasses in Hydra's ConfigStore, where the defaults of train.yaml and of a group name them."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainConfig, provider="stnkit")
    store.store(group="schema", name="training", node=TrainingConfig, provider="stnkit")
    store.store(group="schema", name="placement", node=PlacementConfig, provider="stnkit")


def _check_range(name: str, value: float, low: float, high: float = math.inf) -> None:
    if not (low <= value <= high and value < math.inf):
        limits = f"between {low} and {high}" if high < math.inf else f"of at least {low}"
        raise InputError(f"{name}: expected a number {limits}, got {value}")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name}: expected one of {', '.join(choices)}, got {value}")
