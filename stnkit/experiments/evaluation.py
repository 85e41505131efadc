"""The test figures of a trained run once more, or on other data; nothing is written."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf.errors import OmegaConfBaseException

from stnkit.errors import DataError, InputError, first_line
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.loop.environment import one_process
from stnkit.experiments.loop.objective_needs import (
    build_objective,
    check_data_needs,
    check_same_outputs,
    objective_name,
)
from stnkit.experiments.loop.task import ObjectiveTask
from stnkit.experiments.loop.trainer import quiet_lightning, quiet_trainer
from stnkit.experiments.placement import input_transformer
from stnkit.experiments.pose import pose_metrics
from stnkit.experiments.run_directory.directories import typed_training
from stnkit.experiments.run_directory.record import read_record
from stnkit.experiments.run_directory.run_control import component_paths
from stnkit.experiments.schema import FLOAT64, PRECISIONS, EquivarianceConfig, Keep, TrainingConfig
from stnkit.experiments.trained_run import TrainedRun, load_run
from stnkit.objectives import Setting
from stnkit.plugin_system import build

GROUPS = ("dataset", "distortion")
OPTIONS = ("training.accelerator", "training.batch_size", "training.precision")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The figures of a run on its test split.

    Args:
        config: of the run, with the options that were changed.
        figures: as metrics.json has them at the end of a run.
        recorded: the content of the run's metrics.json.
    """

    config: dict[str, Any]
    figures: dict[str, Any]
    recorded: dict[str, Any]


def evaluate(run_dir: Path, changes: Sequence[tuple[str, Any]]) -> Evaluation:
    """Test the weights that a run has kept.

    Args:
        run_dir: of a run with a checkpoint.
        changes: keys and values of options that differ from those of the run: those of its dataset and distortion,
            and which dataset or distortion it is.

    Raises:
        InputError: when there is no such run, another option is changed, its value is refused, or the images do not fit
            the network.
        CheckpointError: when the checkpoint is missing or damaged.
    """
    run = _loaded(run_dir, changes)
    config = _changed(run.config, changes)
    training = dataclasses.replace(
        _typed(config["training"]),
        supervision=0.0,
        equivariance=EquivarianceConfig(),
        devices=1,
        keep=Keep.last,
    )
    training.validate()
    _check_precision(training.precision, _typed(run.config["training"]).precision)
    dataset = build("dataset", config["dataset"])
    distortion = build("distortion", config["distortion"], image_shape=dataset.image_shape)
    data = DistortedData(dataset, distortion, training.batch_size, config["seed"], run.data.dtype)
    _check_data(data, run)
    objective = build_objective(config, dataset, data.in_shape)
    check_data_needs(config, objective, dataset, distortion)
    objective.prepare(Setting(dataset, distortion, data.in_shape, input_transformer(run.network)))
    objective.load_state_dict(run.objective.state_dict())
    called = objective_name(config)
    objective.to(run.data.dtype)
    task = ObjectiveTask(objective, run.network, training, config["seed"], distortion, called=called)
    with quiet_lightning(), one_process():
        trainer = quiet_trainer(training)
        test = trainer.test(task, datamodule=data, verbose=False)[0]
    figures = {name: float(value) for name, value in test.items()}
    return Evaluation(config, figures | pose_metrics(run.network, data), run.metrics)


def _loaded(run_dir: Path, changes: Sequence[tuple[str, Any]]) -> TrainedRun:
    """The run, with its data where the changes say if they are not at their old place."""
    try:
        return load_run(run_dir)
    except DataError:
        config = (read_record(run_dir) or {})["config"]
        moved = {path[-1] for path in component_paths(config) if path[0] == "dataset" and len(path) == 2}
        given = {key.removeprefix("dataset."): value for key, value in changes if key.startswith("dataset.")}
        if not moved & set(given):
            raise
        return load_run(run_dir, dataset={key: value for key, value in given.items() if key in moved})


def _changed(config: Mapping[str, Any], changes: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    changed = {key: dict(value) if isinstance(value, Mapping) else value for key, value in config.items()}
    changed["training"]["accelerator"] = "auto"  # that of the run may be absent from this machine
    # Which one it is before its options, whatever their order is.
    for key, value in sorted(changes, key=lambda change: "." in change[0]):
        group, _, option = key.partition(".")
        if group not in GROUPS and key not in OPTIONS:
            raise InputError(
                f"{key}: expected an option of {' or '.join(GROUPS)}, or {' or '.join(OPTIONS)}: the others are "
                "those of the training"
            )
        if option:
            changed[group] = _with(changed[group], option.split("."), value)
        else:
            changed[group] = {"name": value} if isinstance(value, str) else value
    return changed


def _typed(training: dict[str, Any]) -> TrainingConfig:
    try:
        return typed_training(training)
    except OmegaConfBaseException as error:
        raise InputError(f"training.{error.full_key}: {first_line(error)}") from error


def _with(options: Any, path: list[str], value: Any) -> dict[str, Any]:
    first, *rest = path
    inner = dict(options) if isinstance(options, Mapping) else {}
    return inner | {first: _with(inner.get(first), rest, value) if rest else value}


def _check_precision(precision: str, trained_in: str) -> None:
    """Refuse another floating-point type: weights and images have that of the training."""
    if precision != trained_in and FLOAT64 in (precision, trained_in):
        others = " or ".join(name for name in PRECISIONS if name != FLOAT64)
        expected = FLOAT64 if trained_in == FLOAT64 else others
        raise InputError(f"training.precision: expected {expected} for a run in {trained_in}, got {precision}")


def _check_data(data: DistortedData, run: TrainedRun) -> None:
    if data.in_shape != run.data.in_shape:
        raise InputError(
            f"expected images of shape {list(run.data.in_shape)}, as the network was trained on, "
            f"got {list(data.in_shape)}"
        )
    check_same_outputs(run.config, run.objective, run.data.dataset, data.dataset)
