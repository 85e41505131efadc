"""`stnkit train`: a Hydra program. Groups select the parts, `-m` sweeps over them."""

import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from stnkit.configs import register_component_groups
from stnkit.errors import InputError, StnkitError
from stnkit.experiments import directories
from stnkit.experiments.schema import register_schema
from stnkit.kinds import KINDS
from stnkit.registry import registry


def main(arguments: list[str]) -> int:
    """Compose the config and train, once or (with -m) for every cell of a sweep.

    Args:
        arguments: what stands after the verb, for Hydra.
    """
    register_schema()
    register_component_groups()
    directories.register_resolvers()
    # Otherwise Hydra prints its own hint at a traceback and exits; what it raises is for us to say.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    for argument in arguments:
        # Before Hydra makes the directory that it is told to run in.
        if argument.startswith("resume=") and argument not in ("resume=", "resume=null"):
            directories.check_run_dir(Path(argument.removeprefix("resume=")))
    sys.argv = [sys.argv[0], *arguments]
    try:
        _program()
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(_sentence(error)) from error
    return _ended.exit_code


@dataclasses.dataclass
class _Ended:
    """How the jobs of this process ended: the worst of their exit codes."""

    exit_code: int = 0


_ended = _Ended()


@hydra.main(version_base="1.3", config_path="pkg://stnkit.conf", config_name="train")
def _program(config: DictConfig) -> float | None:
    # What is the user's to mend is said here: raised, Hydra would put its own line in front of it.
    try:
        return _run(config, Path(HydraConfig.get().runtime.output_dir))
    except StnkitError as error:
        print(f"stnkit train: {error}", file=sys.stderr)
        _ended.exit_code = max(_ended.exit_code, 2)
        return None


def _run(config: DictConfig, run_dir: Path) -> float | None:
    from stnkit.experiments.callbacks import Interrupted
    from stnkit.experiments.run import train

    plain: Any = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    if plain["resume"] is not None:
        plain = directories.config_to_resume(plain, list(HydraConfig.get().overrides.task))
    else:
        directories.save_config(plain, run_dir)
    try:
        metrics = train(plain, directories.typed_training(plain["training"]), run_dir)
    except Interrupted as interruption:
        print(f"\n{interruption}: `stnkit train resume={run_dir}` goes on from here", file=sys.stderr)
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise KeyboardInterrupt from interruption  # ends the sweep, not only this cell
        _ended.exit_code = 128 + interruption.signal_number
        return None
    print(f"test error  {metrics['test_error']:.2f} %")
    print(f"metrics     {run_dir / 'metrics.json'}")
    print(f"checkpoint  {metrics['checkpoint']}")
    if "picture" in metrics:
        print(f"picture     {metrics['picture']}  (test images before and after the transformer)")
    error: float = metrics["test_error"]
    return error


def _sentence(error: BaseException) -> str:
    """What Hydra or OmegaConf says, in one line, with the keys or values that are allowed."""
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        keys = ", ".join(map(str, OmegaConf.to_container(cause.parent_node)))  # type: ignore[arg-type]
        return f"there is no {cause.full_key}; what there is beside it: {keys}"
    missing = re.search(r"Could not find '(\w+)/(\w+)'", str(error))
    if missing and missing[1] in KINDS:
        # The registry says it better, and knows the broken plugins.
        try:
            registry().component(missing[1], missing[2])
        except StnkitError as known:
            return str(known)
    text = str(error).split("Config search path")[0].removeprefix("Error merging override ")
    if cause is not error:
        text += f": {str(cause).splitlines()[0]}"
    text = text.replace("int is not a ListConfig, list or tuple.", "it must be a list, such as [28,28]")
    return " ".join(line.strip() for line in text.splitlines() if line.strip())
