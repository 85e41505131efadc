"""The Lightning Trainer of a run, with its callbacks and loggers, and without Lightning's messages."""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from stnkit.errors import InputError, PluginError
from stnkit.experiments.loop.callbacks import ProgressBar, RecordProgress, SaveCheckpoint
from stnkit.experiments.loop.checkpoint_io import AtomicCheckpointIO
from stnkit.experiments.loop.joined.environment import JoinedEnvironment, devices_of
from stnkit.experiments.loop.kept_weights import Patience, SaveBest
from stnkit.experiments.loop.lightning_overrides import NoProfiler, leave_signals
from stnkit.experiments.loop.loggers import make_loggers
from stnkit.experiments.loop.run_log import EpochLines, has_terminal
from stnkit.experiments.run_directory.checkpoints import best_checkpoint, last_checkpoint
from stnkit.experiments.run_directory.record import RunRecord
from stnkit.experiments.schema import Keep, TrainingConfig
from stnkit.logging_levels import quieter
from stnkit.objectives import Objective
from stnkit.plugin_system import plugin_registry


def make_trainer(
    config: Mapping[str, Any],
    training: TrainingConfig,
    run_dir: Path,
    record: RunRecord,
    objective: Objective,
    environment: JoinedEnvironment | None = None,
) -> lightning.Trainer:
    """The trainer of this process.

    Args:
        config: of the run, as plain values; plugins see it.
        training: its training section, typed.
        run_dir: for checkpoints and logs.
        record: of the run; a process that does not write it does not log either.
        objective: of the run, whose primary figure decides about the best epoch.
        environment: of a run in the processes of a launcher; None for the processes that stnkit starts.

    Raises:
        InputError: when Lightning refuses an option, or a logger cannot be used.
        PluginError: when a plugin gives something other than Lightning callbacks and loggers.
    """
    bar = training.progress and has_terminal()
    callbacks: list[lightning.Callback] = [
        *_callbacks_of_plugins(config),
        RecordProgress(record),
        *([SaveBest(best_checkpoint(run_dir))] if training.keep is Keep.best else []),
        *([Patience(training.patience, objective)] if training.patience is not None else []),
        *([EpochLines(printed=training.progress and not bar)] if record.written else []),
        SaveCheckpoint(last_checkpoint(run_dir), training.checkpoint_every),  # last, since it ends a run
    ]
    if bar:
        callbacks.append(ProgressBar(leave=False))
    loggers = make_loggers(config, training.loggers, run_dir) if record.written else []
    return quiet_trainer(
        training,
        environment,
        plugins=[AtomicCheckpointIO()],
        max_epochs=training.epochs,
        **(_own_devices(training) if environment is None else devices_of(training, environment.launched)),
        use_distributed_sampler=False,
        callbacks=callbacks,
        logger=loggers or False,
        default_root_dir=run_dir,
        enable_progress_bar=bar,
        enable_checkpointing=True,
        log_every_n_steps=1_000_000,  # per epoch only
    )


def _own_devices(training: TrainingConfig) -> dict[str, Any]:
    several = "ddp" if training.strategy == "auto" else training.strategy
    return {"devices": training.devices, "strategy": several if training.devices > 1 else "auto"}


def quiet_trainer(
    training: TrainingConfig,
    environment: JoinedEnvironment | None = None,
    plugins: Sequence[Any] = (),
    **options: Any,
) -> lightning.Trainer:
    """A Trainer on one device that logs, saves and prints nothing, unless the options say so.

    Args:
        training: its accelerator, precision and gradient clipping hold.
        environment: of a run in the processes of a launcher; None for the processes that stnkit starts.
        plugins: of Lightning, besides the environment.
        options: of `lightning.Trainer`.

    Raises:
        InputError: when Lightning refuses an option, such as an accelerator that this machine does not have, or would
            compute in another precision.
    """
    precision: Any = training.precision  # Lightning types it as a literal
    defaults: dict[str, Any] = {
        "devices": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
    }
    try:
        trainer = lightning.Trainer(
            accelerator=training.accelerator,
            precision=precision,
            gradient_clip_val=training.gradient_clip,
            # Without one, stnkit has started the processes, also under a scheduler that Lightning would recognize.
            plugins=[*plugins, environment or LightningEnvironment()],
            profiler=NoProfiler(),
            **(defaults | options),
        )
    except (ValueError, ImportError, lightning.fabric.utilities.exceptions.MisconfigurationException) as error:
        raise InputError(f"training: {error}") from error
    if (used := trainer.precision) != precision:
        device = trainer.strategy.root_device.type.upper()
        raise InputError(f"training.precision: expected {used} on a {device}, got {precision}")
    leave_signals(trainer)
    return trainer


@contextlib.contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's advice that does not apply: loaders are tensors in memory, the record is stnkit's own."""
    with warnings.catch_warnings(), quieter(logging.WARNING, "lightning.pytorch", "lightning.fabric"):
        for message in (
            ".*does not have many workers.*",
            ".*number of training batches.*smaller than the logging interval.*",
            ".*LeafSpec.*is deprecated.*",  # raised by Lightning's own code
            ".*`srun` command is available.*",  # stnkit starts the processes of a run
            ".*in eval mode at the start of training.*",  # frozen parts of a network
            ".*AMP with fp16 is not supported on CPU.*",  # refused instead
            ".*recommended to use `self.log.*sync_dist=True.*",  # logged values are already reduced over processes
        ):
            warnings.filterwarnings("ignore", message=message)
        yield


def _callbacks_of_plugins(config: Mapping[str, Any]) -> list[lightning.Callback]:
    found = plugin_registry().callbacks(dict(config))
    for callback, source in found:
        if not isinstance(callback, lightning.Callback):
            raise PluginError(
                f"the callbacks of {source} cannot be used: expected a lightning.Callback, got {callback!r}"
            )
    return [callback for callback, _ in found]
