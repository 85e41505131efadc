"""The Lightning task: classification through spatial transformers."""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.distortions import Distortion
from stnkit.errors import NotFiniteError
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.data.seeds import derived_seed, generator
from stnkit.experiments.loop.epoch_sums import EpochSums
from stnkit.experiments.loop.lightning_overrides import FastHooksModule
from stnkit.experiments.loop.theta_recorder import ThetaRecorder
from stnkit.experiments.losses.theta_loss import ThetaLoss
from stnkit.experiments.schema import Optimizer, Schedule, TrainingConfig
from stnkit.insertion.find import find_transformers


class Classification(FastHooksModule):
    """Cross-entropy on distorted images, plus the auxiliary losses on θ.

    Logs for every epoch the loss, the error in percent, and where there are transformers the share of grid points
    outside of the image and the mean distance ‖θ − identity‖.

    Args:
        network: logits of images, with any number of SpatialTransformers in it.
        training: optimizer, schedule and losses.
        seed: of the run.
        distortion: of the images, for supervision.

    Raises:
        InputError: when an auxiliary loss does not fit the network or the distortion.
    """

    def __init__(
        self, network: nn.Module, training: TrainingConfig, seed: int, distortion: Distortion | None = None
    ) -> None:
        super().__init__()
        if training.channels_last:
            # The memory format of the weights decides that of the activations, for images in either format.
            nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
            nn.utils.convert_conv3d_weight_memory_format(network, torch.channels_last_3d)
        self.network = network
        self.theta_loss = ThetaLoss(training, network, distortion)
        self.training_config = training
        self.seed = seed
        self.theta_recorder = ThetaRecorder(network)
        self.history: list[dict[str, float]] = []
        # The share outside is measured in validation only: it needs a second grid.
        distance = ("theta_distance",) if self.theta_recorder else ()
        outside = ("outside",) if self.theta_recorder else ()
        self.train_sums = EpochSums((*distance, *self.theta_loss.weights))
        self.eval_sums = EpochSums((*outside, *distance))

    def setup(self, stage: str) -> None:
        data: Any = getattr(self.trainer, "datamodule", None)
        if data is not None:
            for split in ("test",) if stage == "test" else ("train", "validation"):
                data.check_labels(split)

    def forward(self, images: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_classes"]:
        """One logit for each class."""
        return self.network(images)

    def on_train_batch_start(self, batch: Distorted, batch_idx: int) -> None:
        # Random draws of a step, as in dropout, depend on its number alone, so that a run can be resumed.
        rank = (self.global_rank,) if self.global_rank else ()
        seed = derived_seed(self.seed, "step", self.global_step, *rank)
        # For plugins that draw from them.
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 the global generator is the point
        # Not torch.manual_seed: it records the call stack for devices that are not initialized.
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)

    def training_step(self, batch: Distorted, batch_idx: int) -> Tensor:
        images, labels, delta = self.theta_loss.augment(
            batch, generator(self.seed, "delta", self.global_step, self.global_rank)
        )
        with self.theta_loss.thetas() as thetas:
            logits = self(images)
        loss = F.cross_entropy(coordinates.widened(logits), labels)
        theta_errors = self.theta_loss.errors(batch, delta, thetas)
        total = loss + sum(self.theta_loss.weights[name] * error for name, error in theta_errors.items())
        finite_theta = self.theta_recorder.all_finite()
        if not bool(torch.isfinite(total) & finite_theta):
            name = "loss" if bool(finite_theta) else "theta"
            raise NotFiniteError(f"the {name} is not finite in step {self.global_step}")
        with torch.no_grad():
            self._add(self.train_sums, loss, logits, labels, theta_errors)
        return total * batch.weight

    def validation_step(self, batch: Distorted, batch_idx: int) -> None:
        if not len(batch.labels):  # of a process whose shard has fewer images than there are batches
            return
        logits = self(batch.images)
        loss = F.cross_entropy(coordinates.widened(logits), batch.labels)
        figures = {"outside": self.theta_recorder.outside_share()} if self.theta_recorder else {}
        self._add(self.eval_sums, loss, logits, batch.labels, figures)

    test_step = validation_step

    def on_validation_epoch_start(self) -> None:
        self.eval_sums.reset()

    on_test_epoch_start = on_validation_epoch_start

    def on_validation_epoch_end(self) -> None:
        self._log("validation", self.eval_sums)

    def on_test_epoch_end(self) -> None:
        self._log("test", self.eval_sums)

    def on_train_epoch_end(self) -> None:
        self._log("train", self.train_sums)
        self.train_sums.reset()
        logged = {name: value.item() for name, value in self.trainer.callback_metrics.items()}
        self.history.append({"epoch": self.current_epoch, **logged})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history
        # In the state dict under this name since the first version, so that old checkpoints can be resumed.
        checkpoint["state_dict"]["train_sums"] = self._over_processes(self.train_sums).state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])
        sums = checkpoint["state_dict"].pop("train_sums")
        if self.global_rank == 0:  # the first process continues from the sums of all
            self.train_sums.load_state(sums)

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
                # Not the trainer's estimate, which sets up the loaders before a checkpoint restores them.
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

    def _add(
        self, sums: EpochSums, loss: Tensor, logits: Tensor, labels: Tensor, figures: Mapping[str, Tensor]
    ) -> None:
        distance = {"theta_distance": self.theta_recorder.distance()} if self.theta_recorder else {}
        errors = (logits.argmax(dim=1) != labels).sum()
        sums.add(len(labels), loss=loss, errors=errors, **distance, **figures)

    def _over_processes(self, sums: EpochSums) -> EpochSums:
        strategy: Any = self.trainer.strategy
        return sums.reduced(lambda values: strategy.reduce(values.to(self.device), reduce_op="sum"))

    def _log(self, prefix: str, sums: EpochSums) -> None:
        for name, value in self._over_processes(sums).compute().items():
            self.log(f"{prefix}_{name}", value, prog_bar=name == "error")


def parameter_groups(network: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """The optimizer's groups: the network, its transformers, and the offsets of their heads without weight decay.

    Args:
        network: with any number of transformers.
        config: learning rates and weight decay.
    """
    transformers = find_transformers(network).values()
    offsets = {id(t.head.offset) for t in transformers}
    slow = {id(p) for t in transformers for p in t.parameters()} - offsets
    rate = config.learning_rate
    chosen: list[tuple[list[nn.Parameter], float, float]] = [
        ([p for p in network.parameters() if id(p) not in slow | offsets], rate, config.weight_decay),
        ([p for p in network.parameters() if id(p) in slow], rate * config.localizer_scale, config.weight_decay),
        ([p for p in network.parameters() if id(p) in offsets], rate * config.localizer_scale, 0.0),
    ]
    return [{"params": p, "lr": lr, "weight_decay": decay} for p, lr, decay in chosen if p]
