"""`stnkit train`: a Hydra program. Groups select the parts, `-m` sweeps over them."""

import dataclasses
import os
import re
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from stnkit.configs import check_not_shadowed, register_component_groups
from stnkit.errors import InputError, StnkitError
from stnkit.experiments import directories
from stnkit.experiments.schema import register_schema
from stnkit.kinds import KINDS
from stnkit.registry import PluginWarning, registry, shadowed

# At import: a worker process of a launcher needs them before it calls anything of ours.
directories.register_resolvers()


def main(arguments: list[str]) -> int:
    """Compose the config and train, once or (with -m) for every cell of a sweep.

    Args:
        arguments: what stands after the verb, for Hydra.
    """
    register_schema()
    register_component_groups()
    # Otherwise Hydra prints its own hint at a traceback and exits; what it raises is for us to say.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    for argument in arguments:
        # Before Hydra makes the directory that it is told to run in.
        if argument.startswith("resume=") and argument not in ("resume=", "resume=null"):
            directories.check_run_dir(Path(argument.removeprefix("resume=")))
    sys.argv = [sys.argv[0], *arguments]
    _ended.process = os.getpid()
    try:
        with warnings.catch_warnings():
            # Hydra's advice for a file that has the name of a component; that this cannot be is for us to say.
            warnings.filterwarnings("ignore", message=r"(?s)\s*'\w+/\w+' is validated against ConfigStore schema")
            _program()
    except _CellFailed as error:
        return error.exit_code
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(_sentence(error)) from error
    return _ended.exit_code


@dataclasses.dataclass
class _Ended:
    """How the jobs of this process ended: the worst of their exit codes.

    Args:
        exit_code: 0 as long as none has failed.
        process: the one in which `main` was called; a launcher's workers are others.
    """

    exit_code: int = 0
    process: int = 0


_ended = _Ended()


class _CellFailed(Exception):  # noqa: N818 it carries an exit code from a worker, where its error was said
    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


@hydra.main(version_base="1.3", config_path="pkg://stnkit.conf", config_name="train")
def _program(config: DictConfig) -> float | None:
    # A launcher pickles this function by value: what it calls is looked up in the worker, and not copied into it.
    return _job(config)


def _job(config: DictConfig) -> float | None:
    in_worker = _ended.process != os.getpid()
    if in_worker:
        from stnkit.cli.main import show_warnings_in_one_line

        show_warnings_in_one_line()
        # The process that started this one has said it.
        warnings.simplefilter("ignore", PluginWarning)
    # What is the user's to mend is said here: raised, Hydra would put its own line in front of it.
    try:
        return _run(config, Path(HydraConfig.get().runtime.output_dir))
    except StnkitError as error:
        print(f"stnkit train: {error}", file=sys.stderr)
        _ended.exit_code = max(_ended.exit_code, 2)
        if in_worker:
            raise _CellFailed(2) from error  # the only way back to the process whose exit code counts
        return None
    except Exception:
        if not in_worker:
            raise
        # Said here: an exception that cannot be pickled would take the other cells with it.
        traceback.print_exc()
        raise _CellFailed(1) from None


def _run(config: DictConfig, run_dir: Path) -> float | None:
    runtime = HydraConfig.get().runtime
    check_not_shadowed(
        runtime.choices, [(f"{s.schema}://{s.path}", s.provider) for s in runtime.config_sources if s.path]
    )
    from stnkit.experiments.callbacks import Interrupted
    from stnkit.experiments.run import train

    if missing := sorted(OmegaConf.missing_keys(config)):
        raise InputError(f"{', '.join(missing)} must be given, as {missing[0]}=VALUE")
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
    hidden = re.match(r"Error merging '(\w+)/(\w+)' with schema", str(error))
    if hidden and registry().providers(hidden[1], hidden[2]):
        kind, name = hidden.groups()
        known = registry().conflicts.get((kind, name))
        return known or shadowed(kind, name, f"{kind}/{name}.yaml", "the config search path")
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    if isinstance(cause, ConfigKeyError | ConfigAttributeError) and cause.parent_node is not None:
        keys = ", ".join(map(str, OmegaConf.to_container(cause.parent_node)))  # type: ignore[arg-type]
        if not keys:  # an open mapping
            return f"there is no {cause.full_key} yet: write +{cause.full_key} to add it"
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
