"""Jobs of a sweep: the identity of a job is a digest of its config, by which it finds its run directory again."""

import contextlib
import copy
import functools
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import MISSING, OmegaConf
from yaml import YAMLError

from stnkit.experiments.run_directory.record import CONFIG, read_record
from stnkit.experiments.run_directory.run_control import without_run_control
from stnkit.plugin_system import KINDS, Component, plugin_registry

CLAIM = ".job"  # the identity of the job that a directory is reserved for
# Options of later versions with their defaults, by which a run of an earlier version has the identity that it had.
ADDED: dict[str, Any] = {
    "training.keep": "last",
    "training.patience": None,
    "training.augmentation": None,
    "init_from": None,
    "init_parts": None,
    "transform_init": None,
    "placement.pair": False,
    "training.equivariance.augment": True,
    "training.equivariance.common_pose": 0.0,
    "objective": {"name": "classification", "label_smoothing": 0.0, "class_weights": None},
}
# The same of the components of a group, of which only some have them.
ADDED_TO_COMPONENTS: dict[str, dict[str, Any]] = {
    "transform": {"ndim": 2, "isotropic": True, "pinned": None, "kernel": None, "epsilon": None},
    "sampler": {"renormalize": False},
    "dataset": {"labels": True},
}
# The same of distortions that have a padding; others do not have that option.
PADDING = {"padding": "zeros"}
# Earlier defaults in pixels that are null now, in proportion to the image: equal for the 28×28 images of that time. The
# configs of earlier versions have no distortion.padding.
IN_PROPORTION: dict[str, Any] = {"canvas": [42, 42], "std": 1.5, "corner_std": 5.0}
# Cached identities: path of a config -> (time of its last change, identity).
_cached: dict[Path, tuple[int, str]] = {}


def identity_of(config: Mapping[str, Any]) -> str:
    """The digest of a config without the options that control the run: equal for two runs with equal results.

    Args:
        config: composed and resolved, as plain values.
    """
    relevant = without_run_control(json.loads(json.dumps(config, default=str)))
    if isinstance(relevant.get("distortion"), dict):
        options = in_proportion(relevant["distortion"])
        relevant["distortion"] = dict(option for option in options.items() if option not in PADDING.items())
    for group, added in ADDED_TO_COMPONENTS.items():
        if isinstance(relevant.get(group), dict):
            # By comparison, since a value may be a list, which is not hashable.
            relevant[group] = {k: v for k, v in relevant[group].items() if k not in added or added[k] != v}
    for key, default in ADDED.items():
        section, last = section_of(relevant, key)
        if section is not None and section.get(last, default) == default:
            section.pop(last, None)
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()


def with_defaults_of_components(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config of an earlier run with the options that its components have gained since, at their defaults.

    The options of earlier versions of stnkit are left out, for which `identity_of` knows what their absence means.

    Args:
        config: saved, as plain values.
    """
    filled = dict(config)
    for kind in KINDS:
        saved = config.get(kind)
        if not isinstance(saved, Mapping) or not isinstance(saved.get("name"), str):
            continue
        providers = plugin_registry().providers(kind, saved["name"])
        if len(providers) != 1:
            continue
        known = {*ADDED_TO_COMPONENTS.get(kind, ()), *(PADDING if kind == "distortion" else ())}
        defaults = _defaults(providers[0].component)
        gained = {key: value for key, value in defaults.items() if key not in known and value != MISSING}
        filled[kind] = copy.deepcopy(gained) | dict(saved)
    return filled


@functools.cache
def _defaults(component: Component) -> dict[str, Any]:
    from stnkit.plugin_system import component_node  # imports Hydra

    defaults: Any = OmegaConf.to_container(OmegaConf.structured(component_node(component)), enum_to_str=True)
    return defaults


def section_of(config: Any, key: str) -> tuple[dict[str, Any] | None, str]:
    """The mapping in a config that holds an option, or None where the config has no such section, and its last name.

    Args:
        config: as plain values.
        key: of the option, its sections separated by dots.
    """
    *sections, last = key.split(".")
    for section in sections:
        config = config.get(section) if isinstance(config, dict) else None
    return (config if isinstance(config, dict) else None), last


def with_added_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the options that its version did not have, at the defaults by which it means what it meant.

    Args:
        config: of any version, as plain values.
    """
    whole: dict[str, Any] = copy.deepcopy(dict(config))
    for key, default in ADDED.items():
        section, last = section_of(whole, key)
        if section is not None:
            section.setdefault(last, copy.deepcopy(default))
    return whole


def in_proportion(distortion: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a distortion, with null for the defaults in pixels of earlier versions.

    Args:
        distortion: of a config of any version.
    """
    if "padding" in distortion:
        return dict(distortion)
    return {
        key: None if key in IN_PROPORTION and IN_PROPORTION[key] == value else value
        for key, value in distortion.items()
    }


def identity_in(run_dir: Path) -> str | None:
    """The identity of the job in a run directory, or None where no run has begun.

    Args:
        run_dir: perhaps of a run.
    """
    path = run_dir / CONFIG
    try:
        changed = path.stat().st_mtime_ns
        if _cached.get(path, (0, ""))[0] != changed:
            config: Any = OmegaConf.to_container(OmegaConf.load(path))
            _cached[path] = changed, identity_of(with_defaults_of_components(config))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, YAMLError, ValueError, TypeError, AttributeError):
        return "damaged"  # the identity of no job, so that it is not overwritten
    return _cached[path][1]


def is_config_of_a_run(path: Path) -> bool:
    """True for the config that a run has written.

    Args:
        path: of a file.
    """
    try:
        config: Any = OmegaConf.to_container(OmegaConf.load(path))
        return {"transform", "training", "seed"} <= set(config)
    except (OSError, YAMLError, ValueError, TypeError):
        return False


def job_directory(identity: str, number: int, sweep_dir: Path) -> str:
    """The name of a job's directory: that of its earlier run, else its number, unless another job is there.

    A sweep can thus be continued in another order or with additional jobs, and never overwrites another job.

    Args:
        identity: of the job, as `identity_of` returns it.
        number: of the job in the sweep.
        sweep_dir: of the sweep; it may not exist yet.
    """
    if (earlier := earlier_directory(identity, sweep_dir, number)) is not None:
        return earlier
    # Another sweep may choose at the same time.
    unique = f"{number}-{identity[:8]}"
    return next((name for name in (str(number), unique) if _claim(sweep_dir / name, identity)), unique)


def earlier_directory(identity: str, sweep_dir: Path, number: int | None = None) -> str | None:
    """The name of the directory in which a job has run before, or None.

    Args:
        identity: of the job, as `identity_of` returns it.
        sweep_dir: of the sweep; it may not exist.
        number: of the job in the sweep, preferred where several directories are its own.
    """
    if not sweep_dir.is_dir():
        return None
    own = [path for path in sorted(sweep_dir.iterdir()) if _owner(path) == identity]
    # A job may have run twice: prefer the completed run.
    return max(own, key=lambda path: (_status(path) == "completed", path.name == str(number))).name if own else None


def _owner(run_dir: Path) -> str | None:
    """The identity of the job that ran, runs or is about to run in a directory."""
    try:
        return identity_in(run_dir) or (run_dir / CLAIM).read_text()
    except OSError:
        return None


def _claim(run_dir: Path, identity: str) -> bool:
    """Reserve a directory for a job; False where another one has it."""
    run_dir.mkdir(parents=True, exist_ok=True)
    if identity_in(run_dir) is None:
        with tempfile.NamedTemporaryFile("w", dir=run_dir, prefix=CLAIM) as file:
            file.write(identity)
            file.flush()
            try:
                os.link(file.name, run_dir / CLAIM)  # with its content, and only where there is none
            except FileExistsError:
                pass
            except OSError:  # a file system without hard links
                with contextlib.suppress(FileExistsError), (run_dir / CLAIM).open("x") as claim:
                    claim.write(identity)
    return _owner(run_dir) == identity


def _status(run_dir: Path) -> Any:
    try:
        return (read_record(run_dir) or {}).get("status")
    except ValueError:
        return None
