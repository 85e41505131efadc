"""The Lightning task: classification through spatial transformers, and what is watched meanwhile."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.distortions import Distortion
from stnkit.errors import InputError, NotFiniteError
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.data.seeds import derived_seed, generator
from stnkit.experiments.loop.lightning_overrides import LeanModule
from stnkit.experiments.loop.theta_recorder import ThetaWatch
from stnkit.experiments.losses.theta_loss import ThetaLoss
from stnkit.experiments.schema import Optimizer, Schedule, TrainingConfig
from stnkit.transformer import SpatialTransformer

# Lightning's true half precisions would cast θ and the sums below; under mixed ones coordinates stay float32.
PRECISIONS = ("32-true", "16-mixed", "bf16-mixed")
# Several processes average their gradients; a run on one device needs none of these.
STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true")
# The sums of an epoch, each over images.
SUMS = ("loss", "errors", "outside", "theta_distance", "images")


class Classification(LeanModule):
    """Cross-entropy on distorted images, and what the config asks of θ.

    Per epoch it logs loss, error in percent, the share of grid points outside of the image, and the mean
    distance ‖θ − identity‖; the last two only where there are transformers.

    Args:
        network: logits of images, with any number of SpatialTransformers in it.
        training: optimizer and schedule.
        seed: of the run.
        distortion: of the images, for a loss with supervision.

    Raises:
        InputError: when a number of the training config is out of its range, or does not fit the network.
    """

    train_sums: Tensor
    eval_sums: Tensor

    def __init__(
        self, network: nn.Module, training: TrainingConfig, seed: int, distortion: Distortion | None = None
    ) -> None:
        super().__init__()
        _check(training)
        if training.channels_last:
            # Their weights decide for the activations too, whatever the format of the images.
            nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
            nn.utils.convert_conv3d_weight_memory_format(network, torch.channels_last_3d)
        self.network = network
        self.theta_loss = ThetaLoss(training, network, distortion)
        self.training_config = training
        self.seed = seed
        self.watch = ThetaWatch(network)
        self.history: list[dict[str, float]] = []
        # Persistent, so that the epoch in which a run was interrupted ends with the same figures.
        self.register_buffer("train_sums", torch.zeros(len(SUMS) + len(self.theta_loss.weights), dtype=torch.float64))
        self.register_buffer("eval_sums", torch.zeros(len(SUMS), dtype=torch.float64), persistent=False)
        # Every process has sums of its own: PyTorch would overwrite them with those of the first.
        self._ddp_params_and_buffers_to_ignore = ["train_sums", "eval_sums"]

    def forward(self, images: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_classes"]:
        """One logit for each class."""
        return self.network(images)

    def on_train_batch_start(self, batch: Distorted, batch_idx: int) -> None:
        # What is random in a step (dropout, say) follows from its number, so that it can be resumed.
        rank = (self.global_rank,) if self.global_rank else ()
        seed = derived_seed(self.seed, "step", self.global_step, *rank)
        # Not torch.manual_seed: for devices that are not there it keeps the stack of every call.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def training_step(self, batch: Distorted, batch_idx: int) -> Tensor:
        seen = self.theta_loss.see(batch, generator(self.seed, "delta", self.global_step, self.global_rank))
        with self.theta_loss.thetas() as thetas:
            logits = self(seen.images)
        loss = F.cross_entropy(logits.float(), seen.labels)
        errors = self.theta_loss.errors(batch, seen.delta, thetas)
        total = loss + sum(self.theta_loss.weights[name] * error for name, error in errors.items())
        finite_theta = self.watch.all_finite()
        if not bool(torch.isfinite(total) & finite_theta):
            what = "loss" if bool(finite_theta) else "theta"
            raise NotFiniteError(f"the {what} is not finite in step {self.global_step}")
        with torch.no_grad():
            self.train_sums += self._sums(loss, logits, seen.labels, errors, outside=False)
        return total * batch.weight

    def validation_step(self, batch: Distorted, batch_idx: int) -> None:
        logits = self(batch.images)
        loss = F.cross_entropy(logits.float(), batch.labels)
        self.eval_sums += self._sums(loss, logits, batch.labels, {}, outside=True)

    test_step = validation_step

    def on_validation_epoch_start(self) -> None:
        self.eval_sums.zero_()

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_epoch_end(self) -> None:
        self._log(self._means(self._over_processes(self.eval_sums), "validation"))

    def on_test_epoch_end(self) -> None:
        self._log(self._means(self._over_processes(self.eval_sums), "test"))

    def on_train_epoch_end(self) -> None:
        means = self._means(self._over_processes(self.train_sums), "train")
        means.pop("train_outside", None)  # the validation grid tells it
        self.train_sums.zero_()
        self._log(means)
        logged = {name: value.item() for name, value in self.trainer.callback_metrics.items()}
        self.history.append({"epoch": self.current_epoch, **logged})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history
        checkpoint["state_dict"]["train_sums"] = self._over_processes(self.train_sums)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])
        if self.global_rank > 0:  # the first process goes on with the sums of all
            checkpoint["state_dict"]["train_sums"] = torch.zeros_like(self.train_sums)

    def configure_optimizers(self) -> Any:
        config = self.training_config
        groups = parameter_groups(self.network, config)
        optimizer: torch.optim.Optimizer
        if config.optimizer is Optimizer.adamw:
            optimizer = torch.optim.AdamW(groups)
        else:
            optimizer = torch.optim.SGD(groups, momentum=config.momentum)
        scheduler: torch.optim.lr_scheduler.LRScheduler
        if config.schedule is Schedule.one_cycle:
            scheduler = torch.optim.lr_scheduler.OneCycleLR(
                optimizer,
                max_lr=[group["lr"] for group in groups],
                # Not the trainer's estimate: it would set the loaders up before a checkpoint restores them.
                total_steps=config.epochs * self._steps_per_epoch(),
                cycle_momentum=False,
            )
        elif config.schedule is Schedule.step:
            scheduler = torch.optim.lr_scheduler.StepLR(optimizer, config.step_every, config.step_factor)
        else:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _steps_per_epoch(self) -> int:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        return int(data.steps_per_epoch)

    def _sums(
        self, loss: Tensor, logits: Tensor, labels: Tensor, theta_errors: dict[str, Tensor], *, outside: bool
    ) -> Tensor:
        n = len(labels)
        errors = (logits.argmax(dim=1) != labels).sum()
        share = self.watch.outside_share() if outside else loss.new_zeros(())
        means = [loss.detach() * n, errors.to(loss.dtype), share * n, self.watch.distance() * n, loss.new_tensor(n)]
        means += [error.detach() * n for error in theta_errors.values()]
        return torch.stack(means).double()

    def _over_processes(self, sums: Tensor) -> Tensor:
        reduced: Tensor = self.trainer.strategy.reduce(sums.clone(), reduce_op="sum")
        return reduced

    def _means(self, sums: Tensor, prefix: str) -> dict[str, float]:
        loss, errors, outside, distance, images, *theta_errors = sums.tolist()
        means = {f"{prefix}_loss": loss / images, f"{prefix}_error": 100 * errors / images}
        if self.watch:
            means[f"{prefix}_outside"] = outside / images
            means[f"{prefix}_theta_distance"] = distance / images
        for name, error in zip(self.theta_loss.weights, theta_errors, strict=False):  # in training only
            means[f"{prefix}_{name}"] = error / images
        return means

    def _log(self, means: dict[str, float]) -> None:
        for name, value in means.items():
            self.log(name, value, prog_bar=name.endswith("_error"))


def parameter_groups(network: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """The network, its transformers with their learning rate, and the heads' biases without weight decay.

    A bias that decays goes to θ = 0, which is the identity of some families and a collapse to a point of others.
    """
    transformers = [m for m in network.modules() if isinstance(m, SpatialTransformer)]
    biases = {id(t.head.bias) for t in transformers}
    slow = {id(p) for t in transformers for p in t.parameters()} - biases
    rate = config.learning_rate
    chosen: list[tuple[list[nn.Parameter], float, float]] = [
        ([p for p in network.parameters() if id(p) not in slow | biases], rate, config.weight_decay),
        ([p for p in network.parameters() if id(p) in slow], rate * config.localizer_scale, config.weight_decay),
        ([p for p in network.parameters() if id(p) in biases], rate * config.localizer_scale, 0.0),
    ]
    return [{"params": p, "lr": lr, "weight_decay": decay} for p, lr, decay in chosen if p]


def _check(training: TrainingConfig) -> None:
    for name in ("epochs", "batch_size", "checkpoint_every", "step_every"):
        if getattr(training, name) < 1:
            raise InputError(f"training.{name} must be at least 1, but {getattr(training, name)} was given")
    if training.precision not in PRECISIONS:
        raise InputError(
            f"training.precision must be one of {', '.join(PRECISIONS)}: coordinates need float32, "
            f"but {training.precision} was given"
        )
    if training.gradient_clip is not None and not 0 < training.gradient_clip < float("inf"):
        raise InputError(f"training.gradient_clip must be above 0 or null, but {training.gradient_clip} was given")
    if training.devices < 1:
        raise InputError(f"training.devices must be at least 1, but {training.devices} was given")
    if training.strategy not in STRATEGIES:
        raise InputError(f"training.strategy must be one of {', '.join(STRATEGIES)}, but {training.strategy} was given")
    if training.devices > 1 and training.batch_size < 2 * training.devices:
        raise InputError(
            f"training.batch_size is over all devices and must be at least 2 for each of the {training.devices}, "
            f"but {training.batch_size} was given"
        )
    for name in ("learning_rate", "localizer_scale", "weight_decay", "momentum", "step_factor"):
        if not 0 <= getattr(training, name) < float("inf"):
            raise InputError(f"training.{name} must be 0 or more, but {getattr(training, name)} was given")
