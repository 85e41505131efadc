"""The Lightning task: the minimization of an objective through spatial transformers."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.distortions import Distortion, gives_true_theta
from stnkit.errors import NotFiniteError
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.data.seeds import derived_seed, generator
from stnkit.experiments.loop.epoch_sums import EpochSums
from stnkit.experiments.loop.figures_by_class import FiguresByClass
from stnkit.experiments.loop.lightning_overrides import FastHooksModule
from stnkit.experiments.loop.objective_returns import checked_figures, checked_losses, checked_total_weight
from stnkit.experiments.loop.stages import Stages, recorded_stages, seen_batch
from stnkit.experiments.loop.theta_recorder import ThetaRecorder
from stnkit.experiments.loop.validation_pose import ValidationPose, validation_pose
from stnkit.experiments.losses.theta_loss import ThetaLoss
from stnkit.experiments.placement import reads_pairs
from stnkit.experiments.schema import Optimizer, Schedule, TrainingConfig
from stnkit.insertion.find import find_transformers
from stnkit.objectives import Batch, Objective


class ObjectiveTask(FastHooksModule):
    """The losses of an objective on distorted images, plus the auxiliary losses on θ.

    Logs for every epoch the loss, its terms where there are several, the figures of the objective, and where there are
    transformers the share of grid points outside of the image, the mean distance ‖θ − identity‖, and the pose that is
    left of the validation images where the distortion gives them one.

    Args:
        objective: losses and figures.
        network: outputs for images, with any number of SpatialTransformers in it.
        training: optimizer, schedule and losses.
        seed: of the run.
        distortion: of the images, for supervision and for objectives that use the true θ.
        is_drawn: as ThetaLoss takes it.
        called: name of the objective, for messages.

    Raises:
        InputError: when an auxiliary loss does not fit the network or the distortion.
    """

    def __init__(
        self,
        objective: Objective,
        network: nn.Module,
        training: TrainingConfig,
        seed: int,
        distortion: Distortion | None = None,
        is_drawn: Callable[[], bool] = lambda: True,
        called: str = "the objective",
    ) -> None:
        super().__init__()
        if training.channels_last:
            # The memory format of the weights decides that of the activations, for images in either format.
            nn.utils.convert_conv2d_weight_memory_format(network, torch.channels_last)
            nn.utils.convert_conv3d_weight_memory_format(network, torch.channels_last_3d)
        self.network = network
        self.objective, self._called = objective, called
        self.theta_loss = ThetaLoss(training, network, distortion, is_drawn)
        self.theta_known = distortion is not None and gives_true_theta(distortion, pair=reads_pairs(network))
        self.training_config = training
        self.seed = seed
        self.theta_recorder = ThetaRecorder(network)
        self.history: list[dict[str, float]] = []
        # The share outside is measured in validation only: it needs a second grid.
        distance = ("theta_distance",) if self.theta_recorder else ()
        outside = ("outside",) if self.theta_recorder else ()
        terms = tuple(objective.terms) if len(objective.terms) > 1 else ()
        figures = tuple(objective.figures)
        measured = figures if objective.measured_in_training else ()
        weighted = ("loss", *terms)
        self.train_sums = EpochSums(("loss", *measured, *terms, *distance, *self.theta_loss.weights), weighted)
        self.eval_sums = EpochSums(("loss", *figures, *terms, *outside, *distance), weighted)
        self.by_class: FiguresByClass | None = None
        self.validation_pose: ValidationPose | None = None

    def setup(self, stage: str) -> None:
        data: Any = getattr(self.trainer, "datamodule", None)
        if data is not None:
            for split in ("test",) if stage == "test" else ("train", "validation"):
                data.check_targets(split, self.objective, self._called)
        if data is not None and stage == "fit":
            self.validation_pose = validation_pose(self.network, data)
        if data is not None and stage == "test" and data.has_labels("test"):
            self.by_class = FiguresByClass(tuple(self.objective.figures), data.dataset.n_classes)

    def forward(self, images: Float[Tensor, "B C *size"]) -> Float[Tensor, "B *output"]:
        """The output of the network, such as one logit for each class."""
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
        step = (self.global_step, self.global_rank)
        # Of the whole batch, as its distortions are: the same in every process.
        shown = self.theta_loss.augment(batch, generator(self.seed, "delta", self.global_step, 0))
        with recorded_stages(self.network) as stages:
            output = self(shown.images)
        # Before the losses: an objective may run the network on further images.
        finite_theta, distance = self.theta_recorder.all_finite(), self._theta_distance()
        seen = self._batch(shown.images, shown.labels, batch, stages, output, generator(self.seed, "objective", *step))
        losses = self._losses(seen)
        loss = _total(losses)
        theta_errors = self.theta_loss.errors(batch, shown, stages.theta)
        of_theta = sum(self.theta_loss.weights[name] * error for name, error in theta_errors.items())
        with torch.no_grad():
            weight = self._total_weight(seen)
        weighed = loss + of_theta if weight is None else loss + of_theta + weight
        if not bool(torch.isfinite(weighed) & finite_theta):
            name = "loss" if bool(finite_theta) else "theta"
            raise NotFiniteError(f"the {name} is not finite in step {self.global_step}")
        with torch.no_grad():
            measured = self._measured(seen) if self.objective.measured_in_training else {}
            means = {**losses, **theta_errors, **distance, "loss": loss}
            self.train_sums.add(len(seen.targets), means, measured, weight)
        share = batch.weight if weight is None else self._share(weight)
        return loss * share + of_theta * batch.weight

    def validation_step(self, batch: Distorted, batch_idx: int) -> None:
        self._evaluated(batch, batch_idx, self.validation_pose)

    def test_step(self, batch: Distorted, batch_idx: int) -> None:
        measured = self._evaluated(batch, batch_idx)
        if measured is not None and self.by_class is not None:
            self.by_class.add(batch.labels, measured)

    def _evaluated(
        self, batch: Distorted, batch_idx: int, pose: ValidationPose | None = None
    ) -> dict[str, Tensor] | None:
        if not len(batch.labels):  # of a process whose shard has fewer images than there are batches
            return None
        with recorded_stages(self.network) as stages:
            output = self(batch.images)
        # Before the losses: an objective may run the network on further images.
        of_theta = self._theta_distance()
        if self.theta_recorder:
            of_theta["outside"] = self.theta_recorder.outside_share()
        # Unlike those of training, they do not depend on the seed of the run, as the distorted images do not.
        draws = generator("objective", batch_idx, self.global_rank)
        seen = self._batch(batch.images, batch.labels, batch, stages, output, draws)
        losses = self._losses(seen)
        measured = self._measured(seen)
        means = {**losses, **of_theta, "loss": _total(losses)}
        self.eval_sums.add(len(seen.targets), means, measured, self._total_weight(seen))
        if pose is not None and stages.theta is not None:
            pose.add(stages.theta, batch.theta)
        return measured

    def on_validation_epoch_start(self) -> None:
        self.eval_sums.reset()
        if self.validation_pose is not None:
            self.validation_pose.reset()

    def on_test_epoch_start(self) -> None:
        self.eval_sums.reset()
        if self.by_class is not None:
            self.by_class.reset()

    def on_validation_epoch_end(self) -> None:
        self._log("validation", self.eval_sums)
        if self.validation_pose is not None:
            for name, value in self.validation_pose.figures(self._sum_over_processes).items():
                self.log(f"validation_{name}", value)

    def on_test_epoch_end(self) -> None:
        self._log("test", self.eval_sums)
        if self.by_class is not None:
            self.by_class.reduce(self._sum_over_processes)

    def on_train_epoch_end(self) -> None:
        self._log("train", self.train_sums)
        self.train_sums.reset()
        logged = {name: value.item() for name, value in self.trainer.callback_metrics.items()}
        self.history.append({"epoch": self.current_epoch, **logged})

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history
        checkpoint["train_sums"] = self._over_processes(self.train_sums).state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = list(checkpoint["history"])
        # In the state dict in versions without objectives.
        earlier = checkpoint["state_dict"].pop("train_sums", None)
        if self.global_rank == 0:  # the first process continues from the sums of all
            self.train_sums.load_state(checkpoint["train_sums"] if earlier is None else earlier)

    def configure_optimizers(self) -> Any:
        config = self.training_config
        groups = parameter_groups(self.network, config, self.objective)
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

    def _batch(
        self, images: Tensor, targets: Tensor, drawn: Distorted, stages: Stages, output: Tensor, draws: torch.Generator
    ) -> Batch:
        true_theta = drawn.theta if self.theta_known else None
        return seen_batch(self.network, images, targets, true_theta, stages, output, draws)

    def _losses(self, batch: Batch) -> dict[str, Tensor]:
        return checked_losses(self.objective, self.objective.losses(batch), training=self.training)

    def _measured(self, batch: Batch) -> dict[str, Tensor]:
        n = len(batch.targets), len(batch.of_data().targets)
        return checked_figures(self.objective, self.objective.measure(batch), *n)

    def _total_weight(self, batch: Batch) -> Tensor | None:
        weight = checked_total_weight(self.objective, self.objective.total_weight(batch))
        return None if weight is None else weight.to(batch.output.device)

    def _share(self, weight: Tensor) -> Tensor | float:
        """W · processes / ΣW: the mean over processes of the losses by it is the weighted mean of the whole batch."""
        if self.trainer.world_size == 1:
            return 1.0
        total = self._sum_over_processes(weight.clone())
        # No image of the batch may have a weight.
        return weight * self.trainer.world_size / total.clamp(min=torch.finfo(total.dtype).tiny)

    def _theta_distance(self) -> dict[str, Tensor]:
        return {"theta_distance": self.theta_recorder.distance()} if self.theta_recorder else {}

    def _sum_over_processes(self, values: Tensor) -> Tensor:
        strategy: Any = self.trainer.strategy
        total: Tensor = strategy.reduce(values.to(self.device), reduce_op="sum")
        return total

    def _over_processes(self, sums: EpochSums) -> EpochSums:
        return sums.reduced(self._sum_over_processes)

    def _log(self, prefix: str, sums: EpochSums) -> None:
        for name, value in self._over_processes(sums).compute().items():
            self.log(f"{prefix}_{name}", value, prog_bar=name == self.objective.primary)


def _total(losses: Mapping[str, Tensor]) -> Tensor:
    first, *others = losses.values()
    for other in others:
        first = first + other
    return first


def parameter_groups(
    network: nn.Module, config: TrainingConfig, objective: nn.Module | None = None
) -> list[dict[str, Any]]:
    """The optimizer's groups: the network, its transformers, and the offsets of their heads without weight decay.

    Args:
        network: with any number of transformers.
        config: learning rates and weight decay.
        objective: whose parameters, if it has any, are trained with those of the network.
    """
    transformers = find_transformers(network).values()
    offsets = {id(t.head.offset) for t in transformers}
    slow = {id(p) for t in transformers for p in t.parameters()} - offsets
    rate, own = config.learning_rate, [] if objective is None else objective.parameters()
    chosen: list[tuple[list[nn.Parameter], float, float]] = [
        ([*(p for p in network.parameters() if id(p) not in slow | offsets), *own], rate, config.weight_decay),
        ([p for p in network.parameters() if id(p) in slow], rate * config.localizer_scale, config.weight_decay),
        ([p for p in network.parameters() if id(p) in offsets], rate * config.localizer_scale, 0.0),
    ]
    return [{"params": p, "lr": lr, "weight_decay": decay} for p, lr, decay in chosen if p]
