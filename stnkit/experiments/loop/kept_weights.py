"""The end of training by the primary figure: the epoch whose weights are kept, and the end without a better one.

Not Lightning's `ModelCheckpoint`: it forgets the best figure when a run directory has another path at its resume.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping

from stnkit.experiments.loop.callbacks import check_finite
from stnkit.experiments.loop.task import ObjectiveTask
from stnkit.objectives import Objective


def best_epoch(history: Sequence[Mapping[str, float]], objective: Objective) -> int:
    """The number of the epoch with the best primary figure in validation, the earliest of equals; NaN is the worst.

    Args:
        history: the figures of each epoch.
        objective: of the run.

    Example:
        >>> import stnkit
        >>> from stnkit.experiments.loop.kept_weights import best_epoch
        >>> objective = stnkit.build("objective", "classification")
        >>> best_epoch([{"validation_error": 9.0}, {"validation_error": 5.0}, {"validation_error": 5.0}], objective)
        1
    """
    sign = -1.0 if objective.figures[objective.primary].higher_is_better else 1.0
    values = [sign * figures[monitored(objective)] for figures in history]
    # Python's min() returns NaN where it comes first.
    return min(range(len(values)), key=lambda epoch: math.inf if math.isnan(values[epoch]) else values[epoch])


def monitored(objective: Objective) -> str:
    """The name of the primary figure in validation.

    Args:
        objective: of the run.
    """
    return f"validation_{objective.primary}"


class SaveBest(Checkpoint):
    """Save the weights after every epoch with a better primary figure than all before.

    It stands before the checkpoint from which a run is resumed: one that died between the two repeats the epoch.

    Args:
        path: of the weights.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, ObjectiveTask)
        if best_epoch(pl_module.history, pl_module.objective) == len(pl_module.history) - 1:
            check_finite(trainer, pl_module)
            trainer.save_checkpoint(self.path, weights_only=True)


class Patience(EarlyStopping):
    """Stop when the primary figure has not been better for some epochs; NaN is no better one.

    Args:
        epochs: number of epochs without a better figure.
        objective: of the run.
    """

    def __init__(self, epochs: int, objective: Objective) -> None:
        mode = "max" if objective.figures[objective.primary].higher_is_better else "min"
        super().__init__(monitored(objective), patience=epochs, mode=mode, check_finite=False)

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Lightning restores the count but not the decision, and would train one epoch more.
        trainer.should_stop = self.wait_count >= self.patience
