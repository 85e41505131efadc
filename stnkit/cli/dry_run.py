"""`stnkit train dry_run=true`: print what would run, and write nothing.

Hydra creates directories and files before it calls the program, so that a dry run ends in the callback before.
"""

import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from stnkit.cli.checked_config import checked_config
from stnkit.cli.dry_sweep import DryJob
from stnkit.cli.hydra_internals import task_overrides
from stnkit.cli.option_text import chart_lines, options_from_images, value_text
from stnkit.experiments.loop import dry_run
from stnkit.experiments.loop.memory import physical_memory
from stnkit.experiments.run_directory import directories
from stnkit.experiments.run_directory.checkpoints import steps_in
from stnkit.experiments.run_directory.job_identity import ADDED
from stnkit.experiments.run_directory.occupancy import check_free
from stnkit.experiments.run_directory.record import read_record
from stnkit.experiments.run_directory.run_control import component_paths
from stnkit.insertion.components import COMPONENTS


def print_run(config: DictConfig, selected: list[str]) -> int:
    """Print components, shapes, steps, and an estimate of time and memory; return the exit code.

    Args:
        config: composed, with its node `hydra`.
        selected: overrides of the task that are not the user's.

    Raises:
        StnkitError: for a mistake that ends the run before its first steps.
    """
    plain = checked_config(config, config.hydra.runtime)
    overrides = [word for word in task_overrides(config.hydra) if word not in selected]
    run_dir = Path(config.hydra.run.dir)
    lines: list[tuple[str, str]] = []
    steps_done: int | None = None
    if plain["resume"] is not None:
        directories.check_stays(plain, run_dir)
        plain = directories.config_to_resume(plain, overrides)
        epoch = (read_record(run_dir) or {}).get("epoch", 0)
        steps_done = steps_in(run_dir)
        lines.append(("resume", f"{run_dir}, after {epoch} of {_count(plain['training']['epochs'], 'epoch')}"))
    elif plain["skip_completed"] and (earlier := directories.earlier_status(plain, run_dir)):
        lines.append(("directory", f"{run_dir}, whose run is {earlier}"))
        if earlier == "completed":
            _print(lines)
            print("Nothing would run. Nothing was written.")
            return 0
        steps_done = steps_in(run_dir)
    elif not plain["overwrite"]:
        check_free(run_dir)
    training = directories.typed_training(plain["training"])
    found = dry_run.dry_run(_without_writing(plain), training)
    lines += _component_lines(plain, found)
    if plain.get("init_from") is not None and steps_done is None:
        lines.append(("init_from", str(plain["init_from"])))
    lines.append(("parameters", f"{found.n_parameters:,}"))
    lines.append(("steps", _steps(found, training.epochs, steps_done)))
    lines.append(("time", _time(found, training.epochs, training.devices, steps_done or 0)))
    lines.append(("memory", _memory(found)))
    _print(lines)
    print("Nothing was written.")
    return 0


def print_sweep(jobs: list[DryJob] | None, sweep_dir: str) -> int:
    """Print the jobs of a sweep and return the exit code.

    Args:
        jobs: in their order, or None for a sweeper that decides on them as it goes.
        sweep_dir: of the sweep.
    """
    if jobs is None:
        print("The sweeper decides on the jobs as it goes. Nothing was written.")
        return 0
    for number, job in enumerate(jobs, start=1):
        told = job.would if job.same_as is None else f"the same as job {job.same_as}"
        text = ", ".join(filter(None, (" ".join(job.varying), told)))
        print(f"job {number} of {len(jobs)}: {text}".rstrip(": "))
    print(f"They would run in {sweep_dir}. Without -m, `dry_run=true` and the options of a job describe it.")
    print("Nothing was written.")
    return 0


def _without_writing(config: dict[str, Any]) -> dict[str, Any]:
    """The config with the run-control options `download` and `pack` of components off: a dry run writes nothing."""
    changed = copy.deepcopy(config)
    for *before, last in component_paths(config):
        found: Any = changed
        for key in before:
            found = found[key]
        if last in ("download", "pack") and isinstance(found[last], bool):
            found[last] = False
    return changed


def _component_lines(config: dict[str, Any], found: dry_run.DryRun) -> Iterator[tuple[str, str]]:
    images = ", ".join(f"{n:,} {split}" for split, n in found.n_images.items()) or "unknown numbers of"
    yield "dataset", _chosen(config["dataset"])
    classes = f", {found.n_classes} classes" if found.n_classes else ""
    yield "", f"{images} images of {_by(found.image_shape)}{classes}"
    yield "distortion", _chosen(config["distortion"])
    yield "", f"images of {_by(found.in_shape)}"
    yield "objective", _chosen(config.get("objective") or ADDED["objective"])
    yield "network", _chosen(config["network"])
    if not found.shapes:
        yield "placement", "none: the network alone"
        return
    for kind in COMPONENTS:
        yield kind, _chosen(config[kind])
    yield "placement", " ".join(f"{key}={value_text(value)}" for key, value in config["placement"].items())
    if config.get("transform_init") is not None:
        yield "transform_init", value_text(config["transform_init"])
    for point, shapes in found.shapes.items():
        yield f"at {point}", f"input {shapes.image}, θ {shapes.theta}, grid {shapes.grid}, output {shapes.output}"
    yield from options_from_images(found.options_from_images)
    yield from chart_lines(found.charts)


def _print(lines: list[tuple[str, str]]) -> None:
    width = max(len(label) for label, _ in lines) + 2
    for label, text in lines:
        print(f"{label:<{width}}{text}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _chosen(component: dict[str, Any]) -> str:
    options = (f"{key}={value_text(value)}" for key, value in component.items() if key != "name")
    return " ".join([component["name"], *options])


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _steps(found: dry_run.DryRun, epochs: int, done: int | None) -> str:
    """The steps of the run, or of what is left of it."""
    if found.steps_per_epoch is None:
        return f"unknown: {found.no_data}"
    each = f"{found.steps_per_epoch:,} in an epoch"
    if done is None:
        return f"{each}, {found.steps_per_epoch * epochs:,} in {_count(epochs, 'epoch')}"
    left = max(0, found.steps_per_epoch * epochs - done)
    return f"{each}, {left:,} left in {_count(math.ceil(left / found.steps_per_epoch), 'epoch')}"


def _time(found: dry_run.DryRun, epochs: int, devices: int, done: int) -> str:
    each = f"{_seconds(found.step_seconds)} a step"
    on = f"on one {found.device}" + (f" of {devices} devices" if devices > 1 else "")
    if found.steps_per_epoch is None or found.validation_seconds is None:
        return f"{each} {on}"
    left = max(0, found.steps_per_epoch * epochs - done)
    total = left * found.step_seconds + math.ceil(left / found.steps_per_epoch) * found.validation_seconds
    return f"about {_seconds(total)}: {each}, {_seconds(found.validation_seconds)} a validation, {on}"


def _memory(found: dry_run.DryRun) -> str:
    if found.peak_bytes is None:
        return "unknown on this system"
    available = physical_memory(torch.device("cpu" if found.device == "CPU" else "cuda"))
    of = f" of {available / 2**30:.3g} GiB" if available else ""
    return f"about {found.peak_bytes / 2**30:.2g} GiB{of}"


def _seconds(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.2g} s"
    minutes, hours = round(seconds / 60), seconds / 3600
    return f"{minutes} min" if minutes < 100 else f"{hours:.3g} h"
