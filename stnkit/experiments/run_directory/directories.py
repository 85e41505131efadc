"""Names of run directories, and the config that a run directory holds."""

import copy
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from stnkit.errors import CheckpointError, InputError, one_line
from stnkit.experiments.run_directory import more_epochs
from stnkit.experiments.run_directory.job_identity import (
    CLAIM,
    identity_in,
    identity_of,
    job_directory,
    with_added_options,
)
from stnkit.experiments.run_directory.occupancy import results_in
from stnkit.experiments.run_directory.record import CONFIG, read_record
from stnkit.experiments.run_directory.run_control import without_run_control
from stnkit.experiments.run_directory.state import State, state_of
from stnkit.experiments.schema import TrainingConfig
from stnkit.files.atomic import write_atomically
from stnkit.plugin_system import KINDS, plugin_registry

# A saved precision and the one in which a CPU has computed it.
COMPUTED_ALIKE = ("16-mixed", "bf16-mixed")


def register_resolvers() -> None:
    """Register the OmegaConf resolvers that choose directories in train.yaml under `hydra:`."""
    OmegaConf.register_new_resolver(
        "stnkit.run_dir", lambda resume: resume or _stamped("runs"), replace=True, use_cache=True
    )
    OmegaConf.register_new_resolver("stnkit.sweep_dir", lambda: _stamped("multirun"), replace=True, use_cache=True)
    OmegaConf.register_new_resolver("stnkit.job_dir", _job_dir, replace=True)
    OmegaConf.register_new_resolver("stnkit.output_subdir", _output_subdir, replace=True)


def _stamped(folder: str) -> str:
    # Random letters, since two runs may start in the same second.
    return f"{folder}/{datetime.now():%Y-%m-%d_%H-%M-%S}_{secrets.token_hex(4)}"


def _job_dir(number: int, sweep_dir: str, *, _root_: DictConfig) -> str:
    return job_directory(identity_of(plain_config(_root_)), number, Path(sweep_dir))


def _output_subdir(*, _root_: DictConfig) -> str | None:
    """Hydra's folder in a run directory: another one for a resumed run, and none where nothing is going to run."""
    if _root_.resume:
        return ".hydra-resumed"
    run_dir = Path(_root_.hydra.runtime.output_dir)
    if not (_root_.skip_completed or _root_.overwrite) and results_in(run_dir):
        return None
    earlier = earlier_status(plain_config(_root_), run_dir) if _root_.skip_completed else None
    return {"completed": None, "resumable": ".hydra-resumed"}.get(earlier or "", ".hydra")


def plain_config(root: DictConfig) -> dict[str, Any]:
    """The application's config without Hydra's, as plain values.

    Args:
        root: composed, perhaps with its node `hydra`.
    """
    config = copy.deepcopy(root)
    OmegaConf.set_struct(config, False)
    config.pop("hydra", None)
    plain: Any = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    return plain


def earlier_status(config: dict[str, Any], run_dir: Path) -> str | None:
    """The state of an earlier run of the same job: "completed", "resumable", or None for any other.

    Args:
        config: composed and resolved, as plain values.
        run_dir: perhaps of an earlier run.
    """
    from stnkit.experiments.run_directory.checkpoints import (  # brings PyTorch, which takes a second
        last_checkpoint,
        verify_checkpoint,
    )

    if identity_in(run_dir) != identity_of(config):
        return None
    try:
        state = state_of(run_dir, own=True)
        if state in (State.died, State.interrupted):
            verify_checkpoint(last_checkpoint(run_dir))
            return "resumable"
    except (ValueError, CheckpointError):
        return None
    return "completed" if state is State.completed else None


def save_config(config: dict[str, Any], run_dir: Path) -> None:
    """Write the composed config beside metrics.json.

    Args:
        config: as plain values.
        run_dir: of the run.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    write_atomically(run_dir / CONFIG, OmegaConf.to_yaml(OmegaConf.create(config)))
    (run_dir / CLAIM).unlink(missing_ok=True)  # the config identifies the job from now on


def check_run_dir(run_dir: Path) -> None:
    """Raise an InputError if a directory holds no run.

    Args:
        run_dir: as `resume` names it.
    """
    if run_dir.is_file():
        raise InputError(
            f"resume={run_dir}: expected a run directory, got a file; perhaps resume={run_dir.parent.parent}"
        )
    if not run_dir.exists():
        raise InputError(f"resume={run_dir}: expected a run directory, but it does not exist")
    if not (run_dir / CONFIG).is_file():
        raise InputError(f"resume={run_dir}: expected a run directory, got one without {CONFIG}")


def components_to_resume(run_dir: Path) -> list[str]:
    """The overrides `KIND=NAME` that select the components of a run, so that their options can be given by name.

    Args:
        run_dir: of a run.
    """
    saved = _saved_config(run_dir)
    names = {kind: (saved.get(kind) or {}).get("name") for kind in KINDS}
    return [f"{kind}={name}" for kind, name in names.items() if name in plugin_registry().names(kind)]


def config_to_resume(config: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """The saved config of the run to resume.

    Overrides may repeat it, change what only controls the run, or ask for more epochs.

    Args:
        config: as composed now, with `resume` set.
        overrides: the task overrides of the command line.

    Raises:
        InputError: when `resume` is no run directory, its run is completed and not asked for more epochs, or an
            override differs from its config.
    """
    run_dir = Path(config["resume"])
    check_run_dir(run_dir)
    try:
        record = read_record(run_dir) or {}
        state = state_of(run_dir, own=True)
    except ValueError as error:
        raise InputError(f"resume={run_dir}: its metrics.json is damaged: {error}") from error
    saved, now = OmegaConf.create(with_added_options(_saved_config(run_dir))), OmegaConf.create(config)
    for key, _, value in (override.partition("=") for override in overrides):
        if "." not in key and key.lstrip("+~") not in config and value != "null":
            raise InputError(f"{key}: expected no preset with resume={run_dir}, whose config is fixed, got {value}")
    keys = [*(override.split("=", 1)[0].lstrip("+~").split("@")[0] for override in overrides), "resume"]
    completed, epochs = state is State.completed, OmegaConf.select(now, more_epochs.KEY)
    if completed and more_epochs.KEY not in keys:
        raise more_epochs.completed_error(run_dir, saved, record)
    if more_epochs.KEY in keys and (completed or epochs != OmegaConf.select(saved, more_epochs.KEY)):
        more_epochs.check_more_epochs(run_dir, saved, record, epochs)
        OmegaConf.update(saved, more_epochs.KEY, epochs)
    plain: Any = OmegaConf.to_container(saved)
    saved_job, job = (OmegaConf.create(without_run_control(each)) for each in (plain, config))
    for key in keys:
        there, here = (OmegaConf.select(each, key) for each in (saved_job, job))
        if key == "training.precision" and (there, here) == COMPUTED_ALIKE:
            OmegaConf.update(saved, key, here)
            continue
        if there != here and repr(there) != repr(here):  # NaN differs from itself
            raise InputError(
                f"{key}: expected {OmegaConf.select(saved, key)} as in resume={run_dir}, "
                f"got {OmegaConf.select(now, key)}"
            )
        value = OmegaConf.select(now, key)
        if "." in key or not OmegaConf.is_dict(value):  # the options of a group have the defaults of now
            OmegaConf.update(saved, key, value, merge=True)
    result = OmegaConf.to_container(saved)
    assert isinstance(result, dict)
    return {str(key): value for key, value in result.items()}


def check_stays(config: Mapping[str, Any], run_dir: Path) -> None:
    """Raise an InputError if a resumed run would write into another directory than its own.

    Args:
        config: composed, as plain values.
        run_dir: that Hydra has given to the run.
    """
    if Path(config["resume"]).resolve() != run_dir.resolve():
        raise InputError(f"hydra.run.dir: expected that of resume={config['resume']}, got {run_dir}")


def _saved_config(run_dir: Path) -> dict[str, Any]:
    try:
        saved: Any = OmegaConf.to_container(OmegaConf.load(run_dir / CONFIG))
        if not isinstance(saved, dict):
            raise ValueError(f"expected a mapping, got {saved!r}")
        for key in (*KINDS, "training"):
            if not isinstance(saved.get(key), dict | None):
                raise ValueError(f"{key}: expected a mapping, got {saved[key]!r}")
    except (OSError, YAMLError, ValueError, OmegaConfBaseException) as error:
        raise InputError(f"resume={run_dir}: its {CONFIG} is damaged: {one_line(error)}") from error
    return saved


def typed_training(training: dict[str, Any]) -> TrainingConfig:
    """The training section as its dataclass.

    Args:
        training: as plain values.
    """
    typed = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(TrainingConfig), training))
    assert isinstance(typed, TrainingConfig)
    return typed
