"""The end of training by validation error: the epoch whose weights are kept, and the epoch after which nothing falls.

Not Lightning's `ModelCheckpoint`: it forgets the lowest error when a run directory has another path at its resume.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping

from stnkit.experiments.loop.callbacks import check_finite
from stnkit.experiments.loop.task import Classification

MONITORED = "validation_error"


def best_epoch(history: Sequence[Mapping[str, float]]) -> int:
    """The number of the epoch with the lowest validation error, the earliest of equals.

    Args:
        history: the figures of each epoch.

    Example:
        >>> from stnkit.experiments.loop.kept_weights import best_epoch
        >>> best_epoch([{"validation_error": 9.0}, {"validation_error": 5.0}, {"validation_error": 5.0}])
        1
    """
    errors = [figures[MONITORED] for figures in history]
    return errors.index(min(errors))


class SaveBest(Checkpoint):
    """Save the weights after every epoch with a lower validation error than all before.

    It stands before the checkpoint from which a run is resumed: one that died between the two repeats the epoch.

    Args:
        path: of the weights.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, Classification)
        if best_epoch(pl_module.history) == len(pl_module.history) - 1:
            check_finite(trainer, pl_module)
            trainer.save_checkpoint(self.path, weights_only=True)


class Patience(EarlyStopping):
    """Stop when the validation error has not fallen for some epochs.

    Args:
        epochs: number of epochs without a lower error.
    """

    def __init__(self, epochs: int) -> None:
        super().__init__(MONITORED, patience=epochs)

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Lightning restores the count but not the decision, and would train one epoch more.
        trainer.should_stop = self.wait_count >= self.patience
