"""Callbacks of a run: its progress bar, its record, and its checkpoint, also when it is interrupted."""

import contextlib
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint, RichProgressBar

from stnkit.errors import NotFiniteError
from stnkit.experiments.loop.interruption import Interrupted, handling_stops
from stnkit.experiments.loop.task import ObjectiveTask
from stnkit.experiments.run_directory.more_epochs import save_more_epochs
from stnkit.experiments.run_directory.record import RunRecord, check_same_data


class ProgressBar(RichProgressBar):
    """Lightning's progress bar without the version of the logger."""

    def get_metrics(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> dict[str, int | str | float | dict[str, float]]:
        metrics = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics


class RecordProgress(Checkpoint):
    """Write the progress of a run into its record after every epoch.

    It is a Checkpoint because Lightning calls checkpoints after the task's own end of the epoch.

    Args:
        record: of the run.
    """

    def __init__(self, record: RunRecord) -> None:
        self.record = record
        self._images, self._seconds, self._step_began = 0, 0.0, 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Components, data and checkpoint are there: a resumed run goes on, perhaps to more epochs.
        n_images = _n_images(trainer, "train", "validation")
        before = self.record.values.get("n_images", {})
        # Of a run that was completed they are those of the test too.
        recorded = {"n_images": {name: before[name] for name in n_images if name in before}} if before else {}
        check_same_data(recorded, n_images=n_images)
        self.record.update(n_images={**before, **n_images})
        if self.record.written:
            save_more_epochs(self.record.path.parent, int(trainer.max_epochs or 0))
            self.record.begin()

    def on_test_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self.record.update(n_images={**self.record.values.get("n_images", {}), **_n_images(trainer, "test")})

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._images, self._seconds = 0, 0.0

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._step_began = time.perf_counter()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        # The time of training steps alone, without validation.
        self._seconds += time.perf_counter() - self._step_began
        self._images += len(batch.labels) * trainer.world_size

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, ObjectiveTask)
        self.record.update(
            epoch=trainer.current_epoch + 1,
            step=trainer.global_step,
            images_per_second=round(self._images / max(self._seconds, 1e-9), 1),
            history=pl_module.history,
        )


def _n_images(trainer: lightning.Trainer, *splits: str) -> dict[str, int]:
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    return {name: len(data.split(name)[0]) for name in splits}


def check_finite(trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
    """Raise a NotFiniteError if a weight is not finite, so that such weights are never saved.

    Args:
        trainer: knows the step.
        module: whose weights they are.
    """
    for name, value in module.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise NotFiniteError(f"the weights {name} are not finite after step {trainer.global_step}")


class SaveCheckpoint(Checkpoint):
    """Save the checkpoint at the start, every `every` steps, after every epoch, and when the run is asked to stop.

    A signal of `stop_signals`, such as Ctrl-C or SIGTERM, finishes the step, saves a checkpoint and raises
    `Interrupted`; a second one stops at once.
    Nothing is saved between the last step of an epoch and its end: resumed from there, Lightning skips the validation
    of that epoch. Weights that are not finite are never saved.

    Args:
        path: of the checkpoint.
        every: number of steps from one checkpoint to the next.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path = path
        self.every = every
        self._asked: int | None = None
        self._agreed: int | None = None
        self._handlers = contextlib.ExitStack()

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._handlers.enter_context(handling_stops(self._ask))

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._handlers.close()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        self._handlers.close()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if trainer.global_step == 0:
            self._save(trainer, pl_module)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._agree_to_stop(trainer)
        due = trainer.global_step % self.every == 0 or self._agreed is not None
        if due and not trainer.is_last_batch:
            self._save(trainer, pl_module)
            self._stop_if_agreed(trainer, trainer.current_epoch)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._agree_to_stop(trainer)
        self._save(trainer, pl_module)
        self._stop_if_agreed(trainer, trainer.current_epoch + 1)  # counted after the hooks of its end

    def on_test_batch_end(self, trainer: lightning.Trainer, *args: Any, **kwargs: Any) -> None:
        self._agree_to_stop(trainer)
        self._stop_if_agreed(trainer, trainer.current_epoch)

    def _save(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        check_finite(trainer, pl_module)
        trainer.save_checkpoint(self.path)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked is not None:
            self._handlers.close()
            raise Interrupted(number)
        self._asked = number

    def _agree_to_stop(self, trainer: lightning.Trainer) -> None:
        """Let all processes stop at the same step, or one would wait for the others forever.

        What counts is the signals until now: one that comes in the next moment, to one of the processes, waits.
        """
        self._agreed = self._asked
        if trainer.world_size > 1:
            number = torch.tensor(self._asked or 0, device=trainer.strategy.root_device)
            self._agreed = int(trainer.strategy.reduce(number, reduce_op="max")) or None

    def _stop_if_agreed(self, trainer: lightning.Trainer, epochs: int) -> None:
        if self._agreed is not None:
            raise Interrupted(self._agreed, f"after {epochs} of {trainer.max_epochs} epochs")
