"""One run: build its components, train, test, and record everything in its directory."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from stnkit.errors import DataError, NotFiniteError
from stnkit.experiments.data.checks import checked_class_names
from stnkit.experiments.data.recorded import difference, facts_of
from stnkit.experiments.loop.components import RunComponents, build_components, build_new_run
from stnkit.experiments.loop.environment import one_process
from stnkit.experiments.loop.failures import ProcessLostError
from stnkit.experiments.loop.interruption import Interrupted, interruptible
from stnkit.experiments.loop.joined.environment import JoinedEnvironment
from stnkit.experiments.loop.joined.follower import Follower
from stnkit.experiments.loop.joined.leader import Leader
from stnkit.experiments.loop.joined.member import Member, check_training
from stnkit.experiments.loop.kept_weights import best_epoch
from stnkit.experiments.loop.memory import explain_memory
from stnkit.experiments.loop.objective_needs import uses_classes
from stnkit.experiments.loop.picture import draw_picture
from stnkit.experiments.loop.process_launcher import run_in_processes
from stnkit.experiments.loop.run_log import LOG, log_start, run_log
from stnkit.experiments.loop.smallest_batch import check_smallest_batch
from stnkit.experiments.loop.trainer import make_trainer, quiet_lightning
from stnkit.experiments.pose import POSE_KEYS, pose_metrics
from stnkit.experiments.run_directory.checkpoints import (
    kept_checkpoint,
    last_checkpoint,
    network_weights,
    objective_weights,
    read_checkpoint,
    verify_checkpoint,
)
from stnkit.experiments.run_directory.directories import typed_training
from stnkit.experiments.run_directory.provenance import now, versions
from stnkit.experiments.run_directory.record import (
    RunRecord,
    check_same_data,
    failure,
    read_record,
    remove_unfinished,
)
from stnkit.experiments.run_directory.recorded_figures import described, primary_figure
from stnkit.experiments.run_directory.recorded_plugins import naming_packages, used_packages, warn_of_other_versions
from stnkit.experiments.run_directory.run_control import component_paths, recorded_config
from stnkit.experiments.schema import Keep, TrainingConfig
from stnkit.plugin_system import plugins_used


def train(
    config: Mapping[str, Any], training: TrainingConfig, run_dir: Path, leader: Leader | None = None
) -> dict[str, Any]:
    """Train and test as the config says.

    Args:
        config: of the run, as plain values; `resume` names the directory of the run to resume.
        training: its training section, typed.
        run_dir: for metrics.json, train.log, checkpoints and the picture.
        leader: of the processes that a launcher has started; None for a run in this process or those that it starts.

    Returns:
        The final content of metrics.json.

    Raises:
        StnkitError: for a user's mistake, or a loss that is not finite; the record says "failed" and why.
        Interrupted: after a signal; the record says "interrupted".
    """
    with run_log(run_dir):
        remove_unfinished(run_dir)
        return _train_and_record(config, training, run_dir, leader)


def train_with(
    follower: Follower, config: Mapping[str, Any], run_dir: Path, values: dict[str, Any], resume_from: Path | None
) -> None:
    """Train as one of several processes that does not write.

    Args:
        follower: this process.
        config: of the run, as plain values.
        run_dir: of the run.
        values: of its record.
        resume_from: its checkpoint, or None for a new run.

    Raises:
        StnkitError: for a mistake that shows up in this process.
        Interrupted: after a signal.
    """
    training = dataclasses.replace(typed_training(config["training"]), progress=False)
    _train_as(follower.launched.rank, config, training, run_dir, values, resume_from, follower)


def _train_and_record(
    config: Mapping[str, Any], training: TrainingConfig, run_dir: Path, leader: Leader | None
) -> dict[str, Any]:
    resume_from, found = _found(config, run_dir)
    earlier = {name: value for name, value in (found or {}).items() if name not in ("error", "is_users_error")}
    record = RunRecord(run_dir, earlier, deferred=resume_from is not None)
    # `seconds` of a resumed run includes the time of its earlier parts.
    began = time.perf_counter() - float(earlier.get("seconds", 0))
    try:
        # From the first record on, which must not stay at "running"; Lightning has handlers of its own where it trains.
        with interruptible(), naming_packages(earlier):
            record.update(
                status="running",
                seed=config["seed"],
                config=recorded_config(config),
                run_control=component_paths(config),
                began=earlier.get("began", now()),
                versions=versions(),
            )
            log_start(config, resume_from)
            _train_in_processes(config, training, run_dir, record, resume_from, leader)
            record.deferred = False
            record.update(status="completed", seconds=round(time.perf_counter() - began, 3))
    except (Interrupted, KeyboardInterrupt, ProcessLostError) as interruption:
        LOG.info(str(interruption) or "interrupted")
        if _has_begun(record, found):
            record.update(status="interrupted", seconds=round(time.perf_counter() - began, 3))
        raise
    except BaseException as caught:
        error = explain_memory(caught)
        LOG.error(f"failed: {type(error).__name__}: {error}")
        if _has_begun(record, found):
            record.update(**failure(error), seconds=round(time.perf_counter() - began, 3))
        if error is caught:
            raise
        raise error from caught
    primary = primary_figure(record.values)
    result = primary.text(record.values[f"test_{primary.name}"])
    LOG.info(f"completed: test {primary.words} {result}  {record.values['seconds']:.1f} s")
    return record.values


def _found(config: Mapping[str, Any], run_dir: Path) -> tuple[Path | None, dict[str, Any] | None]:
    """The checkpoint and the record of the run to resume; None for a new run."""
    if config["resume"] is None:
        return None, None
    checkpoint = last_checkpoint(Path(config["resume"]))
    verify_checkpoint(checkpoint)
    found = read_record(run_dir) or {}
    warn_of_other_versions(found, str(run_dir))
    return checkpoint, found


def _has_begun(record: RunRecord, found: dict[str, Any] | None) -> bool:
    """True if the run has a record to end: a resumed one that has not trained stays as it was found.

    Args:
        record: of the run; writes from now on where this is true.
        found: the record of the run to resume; None for a new run.
    """
    begun = bool(record.values) and (found is None or read_record(record.path.parent) != found)
    record.deferred = not begun
    return begun


def _train_in_processes(
    config: Mapping[str, Any],
    training: TrainingConfig,
    run_dir: Path,
    record: RunRecord,
    resume_from: Path | None,
    leader: Leader | None,
) -> None:
    """Train with the processes of a launcher, in this one, or in those that it starts."""
    if leader is not None:
        check_training(training, leader.launched)
        leader.start(dict(config), run_dir, record.values, resume_from)
        with leader.answering(), _leaving_process_group():
            _train(config, training, run_dir, record, resume_from, leader)
    elif training.devices == 1:
        with one_process():
            _train(config, training, run_dir, record, resume_from)
    else:
        # Reports mistakes before any process is started, and packs or downloads before processes wait for each other at
        # barriers of torch, which have a time limit.
        _built(config, training, run_dir, resume_from)[0].data.prepare_data()
        try:
            run_in_processes(_train_as, training.devices, config, training, run_dir, record.values, resume_from)
        finally:
            record.values = read_record(run_dir) or {}  # written by the first process


def _train_as(
    rank: int,
    config: Mapping[str, Any],
    training: TrainingConfig,
    run_dir: Path,
    values: dict[str, Any],
    resume_from: Path | None,
    follower: Follower | None = None,
) -> None:
    record = RunRecord(run_dir, values, written=rank == 0, deferred=resume_from is not None)
    reporting = contextlib.nullcontext() if follower is None else follower.reporting()
    with _leaving_process_group(), run_log(run_dir, written=rank == 0), reporting:
        _train(config, training, run_dir, record, resume_from, follower)


@contextlib.contextmanager
def _leaving_process_group() -> Iterator[None]:
    """Destroy torch's process group in the end, so that the other processes do not wait for this one."""
    try:
        yield
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _built(
    config: Mapping[str, Any], training: TrainingConfig, run_dir: Path, resume_from: Path | None
) -> tuple[RunComponents, dict[str, Any]]:
    # The checkpoint of a resumed run has its weights, and the run of `init_from` may be gone.
    if resume_from is not None:
        return build_components(config, training), {}
    return build_new_run(config, training, run_dir)


def _train(
    config: Mapping[str, Any],
    training: TrainingConfig,
    run_dir: Path,
    record: RunRecord,
    resume_from: Path | None,
    member: Member | None = None,
) -> None:
    with plugins_used() as used:
        components, provenance = _built(config, training, run_dir, resume_from)
    network, data, task = components.network, components.data, components.task
    environment = None
    if member is not None:
        if member.launched.local_rank == 0:  # once on each node, before any barrier of torch, which has a time limit
            data.prepare_data()
        environment = JoinedEnvironment(member.launched, member.meet())
    record.update(
        n_parameters=sum(p.numel() for p in network.parameters()), figures=described(task.objective), **provenance
    )
    _record_data(config, components, record)
    check_smallest_batch(task, data, training.devices if member is None else member.launched.world_size)
    with quiet_lightning():
        with plugins_used() as by_trainer:
            trainer = make_trainer(config, training, run_dir, record, task.objective, environment)
        record.update(**used_packages({**used, **by_trainer}, versions()))
        try:
            trainer.fit(task, datamodule=data, ckpt_path=resume_from, weights_only=True)
        except NotFiniteError as error:
            raise NotFiniteError(f"{error}; the last finite checkpoint is {last_checkpoint(run_dir)}") from error
        record.begin()  # a run that was interrupted behind its last epoch does not train
        checkpoint = kept_checkpoint(run_dir, training.keep)
        if training.keep is Keep.best:
            record.update(best_epoch=best_epoch(task.history, task.objective))
            kept = read_checkpoint(checkpoint)
            network.load_state_dict(network_weights(kept))
            task.objective.load_state_dict(objective_weights(kept))
        test = trainer.test(task, datamodule=data, verbose=False)[0]
    if not trainer.is_global_zero:
        return
    record.update(checkpoint=str(checkpoint), **{name: float(value) for name, value in test.items()})
    # A resumed run has perhaps other figures than its earlier part.
    record.values = {name: value for name, value in record.values.items() if name not in POSE_KEYS}
    by_class = {} if task.by_class is None else {"by_class": task.by_class.compute()}
    record.update(**by_class, **pose_metrics(network, data))
    if picture := draw_picture(components, run_dir):
        record.update(picture=str(picture))


def _record_data(config: Mapping[str, Any], components: RunComponents, record: RunRecord) -> None:
    """Record facts of the data and what the transformers take from its images; refuse other data than before."""
    network, data = components.network, components.data
    names = checked_class_names(data.dataset)
    if told := difference(record.values, data.dataset):
        raise DataError(f"resume: {told}")
    if names and "dataset" not in record.values:  # of an earlier version
        check_same_data(record.values, class_names=list(names))
    uses_labels = uses_classes(config, components.task.objective, data.dataset)
    record.update(dataset=facts_of(data.dataset, uses_labels=uses_labels, images=data.split("train")[0]))
    if names:
        record.update(class_names=list(names))
    if taken := network.options_from_images():
        record.update(options_from_images=taken)
        LOG.info(f"options taken from the images: {taken}")
    if charts := network.charts():
        record.update(charts=charts)
        LOG.info(f"charts at {', '.join(charts)}: the output has other coordinates than the image from the start")
