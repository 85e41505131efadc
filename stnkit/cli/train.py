"""`stnkit train`: a Hydra program. Groups select the parts, `-m` sweeps over them."""

import dataclasses
import os
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from stnkit.cli import sweeps
from stnkit.errors import InputError, StnkitError
from stnkit.experiments.run_directory import directories
from stnkit.experiments.run_directory.lock import BusyError, run_lock
from stnkit.experiments.run_directory.record import read_record
from stnkit.experiments.schema import register_schema
from stnkit.plugin_system.hydra_configs import check_not_shadowed, register_component_groups
from stnkit.plugin_system.kinds import KINDS
from stnkit.plugin_system.registry import PluginWarning, plugin_registry, shadowed

# At import: a worker process of a launcher needs them before it calls anything of ours.
directories.register_resolvers()


def main(arguments: list[str]) -> int:
    """Compose the config and train, once or (with -m) for every cell of a sweep.

    Args:
        arguments: what stands after the command, for Hydra.
    """
    register_schema()
    register_component_groups()
    # Otherwise Hydra prints its own hint at a traceback and exits; what it raises is for us to say.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    for argument in arguments:
        # Before Hydra makes the directory that it is told to run in.
        if argument.startswith("resume=") and argument not in ("resume=", "resume=null"):
            directories.check_run_dir(Path(argument.removeprefix("resume=")))
            if {"-m", "--multirun"} & set(arguments):
                raise InputError(
                    "resume goes on with one run; the cells of a sweep go on with "
                    "hydra.sweep.dir=SWEEP_DIR skip_completed=true"
                )
    # Hydra wants no + in front of a group that has a place of its own in train.yaml; both are understood.
    arguments = [a[1:] if a.startswith(("+model=", "+experiment=")) else a for a in arguments]
    sys.argv = [sys.argv[0], *arguments]
    _ended.process = os.getpid()
    _ended.exit_code = 0
    sweeps.started.clear()
    try:
        with warnings.catch_warnings():
            # Hydra's advice for a file that has the name of a component; that this cannot be is for us to say.
            warnings.filterwarnings("ignore", message=r"(?s)\s*'\w+/\w+' is validated against ConfigStore schema")
            _program()
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(_sentence(error)) from error
    except (Exception, KeyboardInterrupt) as error:
        if not sweeps.started:
            raise
        return sweeps.started[-1].say_that_it_ended_early(error)
    return sweeps.started[-1].say_how_it_ended() if sweeps.started else _ended.exit_code


@dataclasses.dataclass
class _Ended:
    """How the run of this process ended.

    Args:
        exit_code: of the run.
        process: the one in which `main` was called; a launcher's workers are others.
    """

    exit_code: int = 0
    process: int = 0


_ended = _Ended()


@hydra.main(version_base="1.3", config_path="pkg://stnkit.conf", config_name="train")
def _program(config: DictConfig) -> float | None:
    # A launcher pickles this function by value: what it calls is looked up in the worker, and not copied into it.
    return _job(config)


def _job(config: DictConfig) -> float | None:
    if _ended.process != os.getpid():  # a launcher's worker
        from stnkit.cli.main import show_warnings_in_one_line

        show_warnings_in_one_line()
        # The process that started this one has said it.
        warnings.simplefilter("ignore", PluginWarning)
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    in_sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    # What is the user's to mend is said here: raised, Hydra would put its own line in front of it.
    try:
        with run_lock(run_dir):
            try:
                return _run(config, run_dir, in_sweep=in_sweep)
            except Exception as error:
                if in_sweep:
                    sweeps.record_failure(run_dir, error)
                raise
    except BusyError as error:
        print(f"stnkit train: {error}", file=sys.stderr, flush=True)
        _ended.exit_code = 2
    except StnkitError as error:
        print(f"stnkit train: {f'{run_dir}: ' if in_sweep else ''}{error}", file=sys.stderr, flush=True)
        _ended.exit_code = 2
    except Exception as error:
        if not in_sweep:
            raise
        sweeps.say_unexpected(run_dir, error)  # and the other cells go on
    return None


def _run(config: DictConfig, run_dir: Path, *, in_sweep: bool) -> float | None:
    runtime = HydraConfig.get().runtime
    check_not_shadowed(
        runtime.choices, [(f"{s.schema}://{s.path}", s.provider) for s in runtime.config_sources if s.path]
    )
    from stnkit.experiments.loop.callbacks import Interrupted
    from stnkit.experiments.loop.run import train

    if missing := sorted(OmegaConf.missing_keys(config)):
        raise InputError(f"{', '.join(missing)} must be given, as {missing[0]}=VALUE")
    plain: Any = OmegaConf.to_container(config, resolve=True, enum_to_str=True)
    if in_sweep and not sweeps.alone():
        plain["training"]["progress"] = False  # bars of several processes would overwrite each other
    if plain["resume"] is not None:
        plain = directories.config_to_resume(plain, list(HydraConfig.get().overrides.task))
    elif plain["skip_completed"] and (earlier := directories.earlier_status(plain, run_dir)):
        if earlier == "completed":
            error: float = (read_record(run_dir) or {})["test_error"]
            print(f"test error  {error:.2f} %  {run_dir} (completed before)", flush=True)
            return error
        plain["resume"] = str(run_dir)
    else:
        directories.save_config(plain, run_dir)
    try:
        metrics = train(plain, directories.typed_training(plain["training"]), run_dir)
    except Interrupted as interruption:
        print(f"\n{interruption}: `stnkit train resume={run_dir}` goes on from here", file=sys.stderr)
        if in_sweep:
            raise sweeps.SweepInterrupted(interruption.signal_number) from interruption
        _ended.exit_code = 128 + interruption.signal_number
        return None
    error = metrics["test_error"]
    if in_sweep:
        print(f"test error  {error:.2f} %  {run_dir}", flush=True)
        return error
    print(f"test error  {error:.2f} %")
    print(f"metrics     {run_dir / 'metrics.json'}")
    print(f"checkpoint  {metrics['checkpoint']}")
    if "picture" in metrics:
        print(f"picture     {metrics['picture']}  (test images before and after the transformer)")
    return error


def _sentence(error: BaseException) -> str:
    """What Hydra or OmegaConf says, in one line, with the keys or values that are allowed."""
    hidden = re.match(r"Error merging '(\w+)/(\w+)' with schema", str(error))
    if hidden and plugin_registry().providers(hidden[1], hidden[2]):
        kind, name = hidden.groups()
        known = plugin_registry().conflicts.get((kind, name))
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
            plugin_registry().component(missing[1], missing[2])
        except StnkitError as known:
            return str(known)
    text = str(error).split("Config search path")[0].removeprefix("Error merging override ")
    if cause is not error:
        text += f": {str(cause).splitlines()[0]}"
    text = text.replace("int is not a ListConfig, list or tuple.", "it must be a list, such as [28,28]")
    return " ".join(line.strip() for line in text.splitlines() if line.strip())
