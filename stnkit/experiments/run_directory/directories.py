"""Where runs are, and the config that a run directory remembers."""

import copy
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from stnkit.errors import CheckpointError, InputError
from stnkit.experiments.run_directory.job_identity import CONFIG, RUN_CONTROL, cell_in, cell_of, subdirectory_of
from stnkit.experiments.run_directory.record import read_record, write_atomically
from stnkit.experiments.schema import TrainingConfig


def register_resolvers() -> None:
    """The names in train.yaml under `hydra:` that choose directories."""
    OmegaConf.register_new_resolver(
        "stnkit.run_dir", lambda resume: resume or _stamped("runs"), replace=True, use_cache=True
    )
    OmegaConf.register_new_resolver("stnkit.sweep_dir", lambda: _stamped("multirun"), replace=True, use_cache=True)
    OmegaConf.register_new_resolver("stnkit.cell_dir", _cell_dir, replace=True)
    OmegaConf.register_new_resolver("stnkit.output_subdir", _output_subdir, replace=True)


def _stamped(folder: str) -> str:
    # Random letters: two that start in the same second do not share a directory.
    return f"{folder}/{datetime.now():%Y-%m-%d_%H-%M-%S}_{secrets.token_hex(4)}"


def _cell_dir(number: int, sweep_dir: str, *, _root_: DictConfig) -> str:
    return subdirectory_of(cell_of(_plain(_root_)), number, Path(sweep_dir))


def _output_subdir(*, _root_: DictConfig) -> str | None:
    """Where Hydra writes: what it wrote at the start of a run stays, and a completed one is left alone."""
    if _root_.resume:
        return ".hydra-resumed"
    run_dir = _root_.hydra.runtime.output_dir
    earlier = earlier_status(_plain(_root_), Path(run_dir)) if _root_.skip_completed else None
    return {"completed": None, "resumable": ".hydra-resumed"}.get(earlier or "", ".hydra")


def _plain(root: DictConfig) -> dict[str, Any]:
    """The application's config as its job gets it."""
    config = copy.deepcopy(root)
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    plain: Any = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    return plain


def earlier_status(config: dict[str, Any], run_dir: Path) -> str | None:
    """What an earlier run of the same cell has left: "completed", "resumable", or None for nothing of use.

    Args:
        config: composed and resolved, as plain values.
        run_dir: perhaps of an earlier run.
    """
    from stnkit.experiments.run_directory.checkpoints import (  # Lightning, which takes a second
        last_checkpoint,
        verify_checkpoint,
    )

    if cell_in(run_dir) != cell_of(config):
        return None
    try:
        status = (read_record(run_dir) or {}).get("status")
        if status in ("running", "interrupted"):
            verify_checkpoint(last_checkpoint(run_dir))
            return "resumable"
    except (ValueError, CheckpointError):
        return None
    return "completed" if status == "completed" else None


def save_config(config: dict[str, Any], run_dir: Path) -> None:
    """Keep the composed config beside metrics.json.

    Args:
        config: as plain values.
        run_dir: of the run.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(run_dir / CONFIG, OmegaConf.to_yaml(OmegaConf.create(config)))


def check_run_dir(run_dir: Path) -> None:
    """Raise an InputError when that is no directory of a run."""
    if run_dir.is_file():
        raise InputError(
            f"resume={run_dir} is a file; resume takes the run's directory, perhaps {run_dir.parent.parent}"
        )
    if not (run_dir / CONFIG).is_file():
        raise InputError(f"resume={run_dir} is no run directory: it has no {CONFIG}")


def config_to_resume(config: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """The config of the run to go on with; overrides may repeat it, not change it.

    Args:
        config: as composed now, with `resume` set.
        overrides: the task overrides of the command line.

    Raises:
        InputError: when that is no run directory, its run is completed, or an override differs from it.
    """
    run_dir = Path(config["resume"])
    check_run_dir(run_dir)
    try:
        status = (read_record(run_dir) or {}).get("status")
    except ValueError as error:
        raise InputError(f"resume={run_dir}: its record is damaged: {error}") from error
    if status == "completed":
        raise InputError(f"resume={run_dir}: that run is completed, and nothing is left to do")
    kept = OmegaConf.load(run_dir / CONFIG)
    now = OmegaConf.create(config)
    keys = [override.split("=", 1)[0].lstrip("+~").split("@")[0] for override in overrides]
    for key in keys:
        if key not in RUN_CONTROL and OmegaConf.select(kept, key) != OmegaConf.select(now, key):
            raise InputError(
                f"a resumed run keeps its config: {key} is {OmegaConf.select(kept, key)} in {run_dir} "
                f"and cannot become {OmegaConf.select(now, key)}"
            )
    for key in (key for key in RUN_CONTROL if key in (*keys, "resume")):
        OmegaConf.update(kept, key, OmegaConf.select(now, key))
    result = OmegaConf.to_container(kept)
    assert isinstance(result, dict)
    return {str(key): value for key, value in result.items()}


def typed_training(training: dict[str, Any]) -> TrainingConfig:
    """The training section as its dataclass.

    Args:
        training: as plain values.
    """
    typed = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainingConfig), training))
    assert isinstance(typed, TrainingConfig)
    return typed
