"""One run: build all parts, train, test, and leave a directory that tells everything."""

import contextlib
import itertools
import logging
import math
import os
import re
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from stnkit.errors import InputError, NotFiniteError, PluginError
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.figures import arriving, before_and_after
from stnkit.experiments.loop.callbacks import Bar, Interrupted, KeepCheckpoint, KeepRecord
from stnkit.experiments.loop.lightning_overrides import NoProfiler
from stnkit.experiments.loop.process_launcher import run_in_processes
from stnkit.experiments.loop.task import Classification
from stnkit.experiments.placement import TransformedNetwork, place
from stnkit.experiments.pose import pose_metrics
from stnkit.experiments.run_directory.checkpoints import AtomicCheckpointIO, last_checkpoint, verify_checkpoint
from stnkit.experiments.run_directory.record import RunRecord, read_record
from stnkit.experiments.schema import Logger, TrainingConfig
from stnkit.plugin_system.building import build
from stnkit.plugin_system.registry import plugin_registry

FIGURE_IMAGES = 10
PICTURE = "transformer.png"


@dataclass(frozen=True)
class Parts:
    """All parts of a run, built before any data is loaded."""

    data: DistortedData
    network: TransformedNetwork
    task: Classification


def build_parts(config: Mapping[str, Any], training: TrainingConfig) -> Parts:
    """Dataset, distortion, network with its transformers, and task.

    Args:
        config: the run's config as plain values.
        training: its training section, typed.

    Raises:
        StnkitError: when a part cannot be built or two do not fit.
    """
    lightning.seed_everything(config["seed"], verbose=False)
    dataset = build("dataset", config["dataset"])
    distortion = build("distortion", config["distortion"], image_shape=dataset.image_shape)
    data = DistortedData(dataset, distortion, training.batch_size, config["seed"])
    _check_memory(config["out_size"], data.in_shape[0], training.batch_size)
    network = place(config, in_shape=data.in_shape, n_classes=dataset.n_classes, **config["placement"])
    return Parts(data, network, Classification(network, training, config["seed"], distortion))


def train(config: Mapping[str, Any], training: TrainingConfig, run_dir: Path) -> dict[str, Any]:
    """Train and test as the config says.

    Args:
        config: the run's config as plain values; `resume` names the directory to go on from.
        training: its training section, typed.
        run_dir: where metrics.json, checkpoints and figures go.

    Returns:
        What metrics.json holds at the end.

    Raises:
        StnkitError: for a user's mistake, or a loss that is not finite; the record says "failed" and why.
        Interrupted: after a signal; the record says "interrupted".
    """
    resume_from, earlier = None, {}
    if config["resume"] is not None:
        resume_from = last_checkpoint(Path(config["resume"]))
        verify_checkpoint(resume_from)
        earlier = read_record(Path(config["resume"])) or {}
        earlier.pop("error", None)
    record = RunRecord(run_dir, earlier)
    # A resumed run has taken what its parts have.
    began = time.perf_counter() - float(earlier.get("seconds", 0))
    record.update(status="running", seed=config["seed"], config=described(config))
    try:
        if training.devices == 1:
            _train(config, training, run_dir, record, resume_from)
        else:
            build_parts(config, training)  # what does not fit is said before any process is started
            try:
                run_in_processes(
                    _train_as_rank, training.devices, config, training, run_dir, record.values, resume_from
                )
            finally:
                record.values = read_record(run_dir) or {}  # the first of them has written it
    except (Interrupted, KeyboardInterrupt):
        record.update(status="interrupted", seconds=round(time.perf_counter() - began, 3))
        raise
    except BaseException as caught:
        error = _in_words(caught)
        record.update(
            status="failed",
            error=f"{type(error).__name__}: {error}",
            seconds=round(time.perf_counter() - began, 3),
        )
        if error is caught:
            raise
        raise error from caught
    record.update(status="completed", seconds=round(time.perf_counter() - began, 3))
    return record.values


def _check_memory(out_size: Sequence[int] | None, channels: int, batch_size: int) -> None:
    """Refuse a size that no batch fits: tried, the system might grant the memory and end the process later."""
    gib = 4 * batch_size * channels * math.prod(out_size or [0]) / 2**30
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
        if gib > there:
            raise InputError(
                f"out_size={list(out_size or [])} is too large: a batch of {batch_size} would take {gib:.3g} GiB, "
                f"and there are {there:.3g} GiB of memory"
            )


def _in_words(error: BaseException) -> BaseException:
    """The error, or a sentence where a size was more than there is memory for."""
    words = ("allocate", "Storage size calculation overflowed")
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    ):
        asked = re.search(r"ried to allocate ([\d.]+ \w+)", str(error))
        return InputError(
            f"the run does not fit into memory{f', which was asked for {asked[1]} at once' if asked else ''}: "
            f"training.batch_size, out_size or the network must be smaller"
        )
    return error


def described(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the record says of a config: a resumed run is the run that it goes on with."""
    return {key: value for key, value in config.items() if key != "skip_completed"} | {"resume": None}


def _train_as_rank(
    rank: int,
    config: Mapping[str, Any],
    training: TrainingConfig,
    run_dir: Path,
    values: dict[str, Any],
    resume_from: Path | None,
) -> None:
    record = RunRecord(run_dir, values, written=rank == 0)
    try:
        _train(config, training, run_dir, record, resume_from)
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _train(
    config: Mapping[str, Any],
    training: TrainingConfig,
    run_dir: Path,
    record: RunRecord,
    resume_from: Path | None,
) -> None:
    parts = build_parts(config, training)
    n_parameters = sum(p.numel() for p in parts.network.parameters())
    record.update(n_parameters=n_parameters)
    checkpoint = last_checkpoint(run_dir)
    with _quiet_lightning():
        trainer = _trainer(config, training, run_dir, record)
        try:
            trainer.fit(parts.task, datamodule=parts.data, ckpt_path=resume_from, weights_only=True)
        except NotFiniteError as error:
            raise NotFiniteError(f"{error}; the last finite checkpoint is {checkpoint}") from error
        test = trainer.test(parts.task, datamodule=parts.data, verbose=False)[0]
    if not trainer.is_global_zero:
        return
    record.update(checkpoint=str(checkpoint), **{name: float(value) for name, value in test.items()})
    record.update(**pose_metrics(parts.network, parts.data))
    shown = parts.data.fixed("test").images[:FIGURE_IMAGES].to(parts.task.device)
    if seen := arriving(parts.network.eval(), shown):
        record.update(picture=str(before_and_after(seen, run_dir / PICTURE)))


def _trainer(
    config: Mapping[str, Any], training: TrainingConfig, run_dir: Path, record: RunRecord
) -> lightning.Trainer:
    callbacks: list[lightning.Callback] = [
        *_callbacks_of_plugins(config),
        KeepRecord(record),
        KeepCheckpoint(last_checkpoint(run_dir), training.checkpoint_every),
    ]
    if training.progress:
        callbacks.append(Bar(leave=False))
    several = training.devices > 1
    plugins: list[Any] = [AtomicCheckpointIO()]
    if several:
        plugins.append(LightningEnvironment())  # whatever scheduler it runs under: the processes are ours
    precision: Any = training.precision  # Lightning checks it against its own list
    try:
        return lightning.Trainer(
            max_epochs=training.epochs,
            accelerator=training.accelerator,
            devices=training.devices,
            strategy=("ddp" if training.strategy == "auto" else training.strategy) if several else "auto",
            use_distributed_sampler=False,
            precision=precision,
            gradient_clip_val=training.gradient_clip,
            callbacks=callbacks,
            logger=[_logger(logger, run_dir) for logger in training.loggers] if record.written else False,
            default_root_dir=run_dir,
            plugins=plugins,
            profiler=NoProfiler(),
            enable_progress_bar=training.progress,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1_000_000,  # per epoch only
        )
    except (ValueError, lightning.fabric.utilities.exceptions.MisconfigurationException) as error:
        raise InputError(f"training: {error}") from error


def _callbacks_of_plugins(config: Mapping[str, Any]) -> list[lightning.Callback]:
    found = plugin_registry().callbacks(dict(config))
    for callback, source in found:
        if not isinstance(callback, lightning.Callback):
            raise PluginError(f"the callbacks of {source} cannot be used: {callback!r} is no lightning.Callback")
    return [callback for callback, _ in found]


def _logger(logger: Logger, run_dir: Path) -> CSVLogger | TensorBoardLogger:
    # A resumed run has a folder of its own: Lightning would delete what the first part wrote.
    resumed = (f"{logger.value}-resumed-{i}" for i in itertools.count(1))
    version = next(name for name in itertools.chain([logger.value], resumed) if not (run_dir / name).exists())
    if logger is Logger.csv:
        return CSVLogger(run_dir, name="", version=version)
    try:
        return TensorBoardLogger(run_dir, name="", version=version)
    except ModuleNotFoundError as error:
        raise InputError("training.loggers: tensorboard is not installed: pip install 'stnkit[tensorboard]'") from error


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Without the advice that does not apply: our loaders are whole tensors in memory, our record is our own."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message in (
            ".*does not have many workers.*",
            ".*number of training batches.*smaller than the logging interval.*",
            ".*LeafSpec.*is deprecated.*",  # raised by Lightning's own code
            ".*recommended to use `self.log.*sync_dist=True.*",  # what is logged was summed over all processes
        ):
            warnings.filterwarnings("ignore", message=message)
        for logger in loggers:
            logger.setLevel(logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
