"""What a run does besides training: keep the record, stop at a clean step, never save what is not finite."""

import signal
import threading
import time
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from stnkit.errors import NotFiniteError
from stnkit.experiments.record import RunRecord
from stnkit.experiments.task import Classification


class Interrupted(Exception):  # noqa: N818 it is no error
    """The user or the system asked the run to stop, and it did, with a checkpoint.

    Args:
        signal_number: which signal asked.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class KeepRecord(Callback):
    """Writes the progress of a run into its record after every epoch.

    Args:
        record: of the run.
        images: how many one epoch trains on.
    """

    def __init__(self, record: RunRecord, images: int) -> None:
        self.record = record
        self.images = images
        self._epoch_began = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._epoch_began = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, Classification)
        rate = self.images / (time.perf_counter() - self._epoch_began)
        self.record.update(
            epoch=trainer.current_epoch + 1,
            step=trainer.global_step,
            images_per_second=round(rate, 1),
            history=pl_module.history,
        )


class StopCleanly(Callback):
    """On Ctrl-C or SIGTERM: finish the step, save a checkpoint, stop. A second signal stops at once.

    Args:
        checkpoint: where to save.
    """

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        self._asked: int | None = None
        self._previous: dict[int, Any] = {}

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in self.SIGNALS:
                self._previous[number] = signal.signal(number, self._ask)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._restore()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked is not None:
            self._restore()
            raise Interrupted(number)
        self._asked = number

    def _restore(self) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)
        self._previous.clear()

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # From the first second on there is something to resume from.
        if trainer.global_step == 0:
            trainer.save_checkpoint(self.checkpoint)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        if self._asked is not None:
            trainer.save_checkpoint(self.checkpoint)
            raise Interrupted(self._asked)

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        # The last batch of the epoch has left a checkpoint.
        if self._asked is not None:
            raise Interrupted(self._asked)

    on_test_batch_end = on_validation_batch_end


class SaveOnlyFinite(Callback):
    """Stops the run rather than overwrite the last good checkpoint with weights that are not finite."""

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        checkpoint: dict[str, Any],
    ) -> None:
        for name, value in pl_module.state_dict().items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise NotFiniteError(f"the weights {name} are not finite after step {trainer.global_step}")
