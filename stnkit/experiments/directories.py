"""Where runs are, and the config that a run directory remembers."""

import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from stnkit.errors import InputError
from stnkit.experiments.record import read_record, write_atomically
from stnkit.experiments.schema import TrainingConfig

CONFIG = "config.yaml"
# What a resumed run may be told anew: nothing that changes its result.
FREE = ("resume", "training.progress", "training.checkpoint_every")


def register_resolvers() -> None:
    """The names in train.yaml under `hydra:` that choose directories."""
    OmegaConf.register_new_resolver(
        "stnkit.run_dir", lambda resume: resume or _stamped("runs"), replace=True, use_cache=True
    )
    OmegaConf.register_new_resolver(
        "stnkit.output_subdir", lambda resume: ".hydra-resumed" if resume else ".hydra", replace=True
    )
    OmegaConf.register_new_resolver("stnkit.sweep_dir", lambda: _stamped("multirun"), replace=True, use_cache=True)


def _stamped(folder: str) -> str:
    # A few random letters: two that start in the same second do not share a directory.
    return f"{folder}/{datetime.now():%Y-%m-%d_%H-%M-%S}_{secrets.token_hex(2)}"


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
        if key not in FREE and OmegaConf.select(kept, key) != OmegaConf.select(now, key):
            raise InputError(
                f"a resumed run keeps its config: {key} is {OmegaConf.select(kept, key)} in {run_dir} "
                f"and cannot become {OmegaConf.select(now, key)}"
            )
    for key in (key for key in FREE if key in (*keys, "resume")):
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
