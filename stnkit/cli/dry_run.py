"""`stnkit train dry_run=true`: print what would run, and write nothing.

Hydra creates directories and files before it calls the program, so that a dry run ends in the callback before.
"""

import copy
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from stnkit.cli.checked_config import checked_config
from stnkit.cli.options import options_from_images, value_text
from stnkit.experiments.loop import dry_run
from stnkit.experiments.loop.memory import physical_memory
from stnkit.experiments.run_directory import directories
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
    overrides = [word for word in config.hydra.overrides.task if word not in selected]
    run_dir = Path(config.hydra.run.dir)
    if plain["resume"] is not None:
        plain = directories.config_to_resume(plain, overrides)
        epoch = (read_record(run_dir) or {}).get("epoch", 0)
        _line("resume", f"{run_dir}, after {epoch} of {plain['training']['epochs']} epochs")
    elif plain["skip_completed"] and (earlier := directories.earlier_status(plain, run_dir)):
        _line("directory", f"{run_dir}, whose run is {earlier}")
    elif not plain["overwrite"]:
        check_free(run_dir)
    training = directories.typed_training(plain["training"])
    found = dry_run.dry_run(_without_download(plain), training)
    _print_components(plain, found)
    _line("parameters", f"{found.n_parameters:,}")
    if found.steps_per_epoch is None:
        _line("steps", f"unknown: {found.no_data}")
    else:
        steps = found.steps_per_epoch * training.epochs
        _line("steps", f"{found.steps_per_epoch:,} in an epoch, {steps:,} in {training.epochs:,} epochs")
    _line("time", _time(found, training.epochs, training.devices))
    _line("memory", _memory(found))
    print("Nothing was written.")
    return 0


def print_sweep(jobs: list[list[str]] | None, sweep_dir: str) -> int:
    """Print the jobs of a sweep and return the exit code.

    Args:
        jobs: the overrides of each, or None for a sweeper that decides on them as it goes.
        sweep_dir: of the sweep.
    """
    if jobs is None:
        print("The sweeper decides on the jobs as it goes. Nothing was written.")
        return 0
    for number, job in enumerate(jobs, start=1):
        words = [word for word in job if word.partition("=")[0] != "dry_run"]
        print(f"job {number} of {len(jobs)}: {' '.join(words)}".rstrip(": "))
    print(f"They would run in {sweep_dir}. Without -m, `dry_run=true` and the options of a job describe it.")
    print("Nothing was written.")
    return 0


def _without_download(config: dict[str, Any]) -> dict[str, Any]:
    """The config with the run-control options `download` of components off: a dry run writes nothing."""
    changed = copy.deepcopy(config)
    for *before, last in component_paths(config):
        found: Any = changed
        for key in before:
            found = found[key]
        if last == "download" and isinstance(found[last], bool):
            found[last] = False
    return changed


def _print_components(config: dict[str, Any], found: dry_run.DryRun) -> None:
    images = ", ".join(f"{n:,} {split}" for split, n in found.n_images.items()) or "unknown numbers of"
    _line("dataset", _chosen(config["dataset"]))
    _line("", f"{images} images of {_by(found.image_shape)}, {found.n_classes} classes")
    _line("distortion", _chosen(config["distortion"]))
    _line("", f"images of {_by(found.in_shape)}")
    _line("network", _chosen(config["network"]))
    if found.shapes:
        for kind in COMPONENTS:
            _line(kind, _chosen(config[kind]))
        _line("placement", " ".join(f"{key}={value_text(value)}" for key, value in config["placement"].items()))
    for point, shapes in found.shapes.items():
        _line(f"at {point}", f"input {shapes.image}, θ {shapes.theta}, grid {shapes.grid}, output {shapes.output}")
    if found.options_from_images:
        _line("from images", options_from_images(found.options_from_images))
    if not found.shapes:
        _line("placement", "none: the network alone")


def _line(label: str, text: str) -> None:
    print(f"{label:<12}{text}")


def _chosen(component: dict[str, Any]) -> str:
    options = (f"{key}={value_text(value)}" for key, value in component.items() if key != "name")
    return " ".join([component["name"], *options])


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _time(found: dry_run.DryRun, epochs: int, devices: int) -> str:
    each = f"{_seconds(found.step_seconds)} a step"
    on = f"on one {found.device}" + (f" of {devices} devices" if devices > 1 else "")
    if found.steps_per_epoch is None or found.validation_seconds is None:
        return f"{each} {on}"
    total = epochs * (found.steps_per_epoch * found.step_seconds + found.validation_seconds)
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
