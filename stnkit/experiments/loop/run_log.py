"""train.log, the log of a run directory: versions and config, a line for each epoch, and the end."""

import contextlib
import logging
import platform
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Checkpoint
from omegaconf import OmegaConf
from rich.console import Console

from stnkit.experiments.loop.task import ObjectiveTask
from stnkit.experiments.run_directory.provenance import versions
from stnkit.experiments.run_directory.record import LOG_FILE
from stnkit.experiments.run_directory.recorded_figures import described, primary_figure

# As Hydra writes the log of a job, which is the same file: what a plugin logs is there too.
FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"
LOG = logging.getLogger("stnkit.run")


@contextlib.contextmanager
def run_log(run_dir: Path, *, written: bool = True) -> Iterator[logging.Logger]:
    """The logger of a run, which writes to its directory inside of the context; an earlier log is continued.

    Args:
        run_dir: of the run.
        written: True to write: in one of several processes.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    # Names of files need not be text: what UTF-8 has no bytes for is escaped.
    path = run_dir / LOG_FILE
    handler = (
        logging.FileHandler(path, encoding="utf-8", errors="backslashreplace") if written else logging.NullHandler()
    )
    handler.setFormatter(logging.Formatter(FORMAT))
    LOG.setLevel(logging.INFO)
    LOG.propagate = False  # Hydra's handlers would print it, and write it twice
    LOG.addHandler(handler)
    try:
        yield LOG
    finally:
        LOG.removeHandler(handler)
        handler.close()


def log_start(config: Mapping[str, Any], resume_from: Path | None) -> None:
    """Log the versions and the config of a run, and the checkpoint from which it is resumed.

    Args:
        config: of the run, as plain values.
        resume_from: the checkpoint, or None for a run that begins.
    """
    system = f"{platform.system()} {platform.release()} {platform.machine()}"  # `platform()` would start a process
    LOG.info(", ".join([*(f"{name} {version}" for name, version in versions().items()), system]))
    LOG.info("run started" if resume_from is None else f"run resumed from {resume_from}")
    LOG.info("config\n%s", OmegaConf.to_yaml(OmegaConf.create(dict(config))).rstrip())


def has_terminal() -> bool:
    """True where a progress bar can be drawn over itself."""
    console = Console()
    return console.is_terminal or console.is_jupyter


class EpochLines(Checkpoint):
    """Log one line for every epoch: its number, loss, primary figure and corner error in validation, and seconds.

    It is a Checkpoint because Lightning calls checkpoints after the task's own end of the epoch.

    Args:
        printed: True to print the line too, where no progress bar can be drawn.
    """

    def __init__(self, *, printed: bool) -> None:
        self.printed = printed
        self._began = 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        # Resumed within an epoch, Lightning does not call on_train_epoch_start.
        self._began = time.perf_counter()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._began = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        assert isinstance(pl_module, ObjectiveTask)
        figures, primary = pl_module.history[-1], primary_figure({"figures": described(pl_module.objective)})
        corners = figures.get("validation_corner_error_per_class")
        left = "" if corners is None else f"corners {corners:.2f} px  "
        line = (
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  loss {figures['train_loss']:.4f}  "
            f"validation {primary.words} {primary.text(figures[f'validation_{primary.name}'])}  {left}"
            f"{time.perf_counter() - self._began:.1f} s"
        )
        LOG.info(line)
        if self.printed:
            Console(soft_wrap=True).print(line, highlight=False)
