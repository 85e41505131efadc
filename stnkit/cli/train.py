"""`stnkit train`: a Hydra program. Config groups select the components, `-m` sweeps over them."""

import contextlib
import dataclasses
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from stnkit.cli import hydra_internals, launcher, sweeps
from stnkit.cli.checked_config import checked_config
from stnkit.cli.collector import collect_as_usual
from stnkit.cli.dry_sweep import DryRunAsked
from stnkit.cli.earlier_run import config_to_train
from stnkit.cli.hydra_errors import sentence
from stnkit.cli.option_text import chart_lines, options_from_images
from stnkit.cli.options import register_help_resolver
from stnkit.cli.resume_hint import resume_hint
from stnkit.cli.sweep_end import SweepFailed, SweepInterrupted
from stnkit.cli.sweep_jobs import SweepRefused
from stnkit.cli.torchvision_build import torchvision_build_explained
from stnkit.cli.train_arguments import ordered, run_to_resume
from stnkit.errors import InputError, StnkitError
from stnkit.experiments.loop.interruption import Interrupted, interruptions_kept
from stnkit.experiments.loop.joined.launched import find_launched
from stnkit.experiments.run_directory import directories
from stnkit.experiments.run_directory.lock import BusyError, run_lock
from stnkit.experiments.run_directory.occupancy import OccupiedError
from stnkit.experiments.run_directory.record import read_record
from stnkit.experiments.run_directory.recorded_figures import primary_figure, sweep_value
from stnkit.experiments.schema import register_schema
from stnkit.plugin_system import register_component_groups

if TYPE_CHECKING:
    from stnkit.experiments.loop.joined.leader import Leader

# At import: a launcher's worker imports this module and resolves its config before it calls anything here.
directories.register_resolvers()
register_help_resolver()


def main(arguments: list[str]) -> int:
    """Compose the config and train, once or (with -m) for every job of a sweep.

    Among the processes of torchrun or srun, the first does so, and the others take part in its run.

    Args:
        arguments: those after the command, for Hydra.
    """
    launched = find_launched()
    if launched is None:
        return _compose_and_train(arguments)
    from stnkit.cli import joined  # imports PyTorch

    with joined.left_launchers():
        if launched.rank > 0:
            return joined.follow(launched, arguments)
        with joined.leading(launched, arguments) as leader:
            _outcome.leader, launcher.name = leader, launched.launcher
            try:
                leader.exit_code = _compose_and_train(arguments)
            finally:
                _outcome.leader = launcher.name = None
        return leader.exit_code


def _compose_and_train(arguments: list[str]) -> int:
    register_schema()
    register_component_groups()
    # Without it, or with 0, Hydra prints its errors itself and exits.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    given_to_program = sys.argv
    _outcome.process = os.getpid()
    _outcome.exit_code = 0
    _outcome.of_saved_config = []
    sweeps.started.clear()
    try:
        overrides, flags = ordered(arguments)
        if resumed := run_to_resume(overrides, flags):
            given = {word.partition("=")[0] for word in overrides}
            selected = directories.components_to_resume(resumed)
            _outcome.of_saved_config = [word for word in selected if word.partition("=")[0] not in given]
        sys.argv = [sys.argv[0], *overrides, *_outcome.of_saved_config, *flags]
        with warnings.catch_warnings():
            hydra_internals.ignore_schema_advice()  # check_not_shadowed refuses such a file
            _program()
    except DryRunAsked as asked:
        return _dry_run(asked)
    except SweepRefused as mistake:
        raise InputError(str(mistake)) from None
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(sentence(error)) from error
    except (Exception, KeyboardInterrupt, SystemExit) as error:
        if hydra_internals.refused_group(error):
            raise InputError(sentence(error)) from error
        if not sweeps.started:
            raise
        sweeps.end()
        if sweeps.started[-1].fail_fast and sweeps.started[-1].failures():  # Ray has an exception of its own for it
            error = SweepFailed()
        return sweeps.started[-1].print_early_end(error)
    finally:
        sweeps.end()
        sys.argv = given_to_program
    return (sweeps.started[-1].print_end() if sweeps.started else 0) or _outcome.exit_code


def _dry_run(asked: DryRunAsked) -> int:
    from stnkit.cli import dry_run  # imports PyTorch

    if asked.config.hydra.mode is RunMode.MULTIRUN:
        return dry_run.print_sweep(asked.jobs, asked.config.hydra.sweep.dir)
    return dry_run.print_run(asked.config, _outcome.of_saved_config)


@dataclasses.dataclass
class _Outcome:
    """The outcome of a run in this process.

    Args:
        exit_code: of the run.
        failed: True if the last job of a sweep has failed.
        process: id of the process in which `main` was called; a launcher's workers have other ids.
        of_saved_config: overrides that select the components of the run to resume, where the command line does not.
        leader: of the processes that a launcher has started for this run.
    """

    exit_code: int = 0
    failed: bool = False
    process: int = 0
    of_saved_config: list[str] = dataclasses.field(default_factory=list)
    leader: "Leader | None" = None


_outcome = _Outcome()


@hydra.main(version_base="1.3", config_path="pkg://stnkit.conf", config_name="train")
def _program(config: DictConfig) -> float | None:
    # A launcher pickles this function by value; `_job` is imported in the worker, with the state of its module.
    with sweeps.worker.job() if sweeps.worker else contextlib.nullcontext():
        return _job(config)


def _job(config: DictConfig) -> float | None:
    if _outcome.process != os.getpid():  # a launcher's worker
        sweeps.speak_as_worker()
    run_dir = Path(HydraConfig.get().runtime.output_dir)
    in_sweep = HydraConfig.get().mode is RunMode.MULTIRUN
    _outcome.failed = False
    value = _in_its_directory(config, run_dir, in_sweep=in_sweep)
    if in_sweep and config.fail_fast and _outcome.failed:
        raise SweepFailed
    return value


def _in_its_directory(config: DictConfig, run_dir: Path, *, in_sweep: bool) -> float | None:
    # A user's mistake is printed here: if it were raised, Hydra would print a line of its own first.
    try:
        with run_lock(run_dir) as sign:
            sweeps.note(run_dir)
            try:
                with interruptions_kept():
                    return _run(config, run_dir, sign, in_sweep=in_sweep)
            except OccupiedError:
                sweeps.note(run_dir, refused=True)
                raise
            except (Exception, SystemExit) as error:
                if in_sweep:
                    sweeps.record_failure(run_dir, error)
                raise
    except BusyError as error:
        # In a sweep the other process runs the same job: each has claimed its directory.
        print(f"stnkit train: {error}{', so this job is left to it' * in_sweep}", file=sys.stderr, flush=True)
        if not in_sweep:
            _outcome.exit_code = 2
    except StnkitError as error:
        named = in_sweep and not str(error).startswith(f"{run_dir} ")
        print(f"stnkit train: {f'{run_dir}: ' if named else ''}{error}", file=sys.stderr, flush=True)
        _outcome.exit_code = 2
        _outcome.failed = not isinstance(error, OccupiedError)
    except (Exception, SystemExit) as error:
        if not in_sweep and isinstance(error, Exception):
            raise
        sweeps.print_unexpected(run_dir, error)
        _outcome.failed = True
        if not in_sweep:
            _outcome.exit_code = 1  # whatever code a component exits with
    return None


def _run(config: DictConfig, run_dir: Path, sign: Callable[[], None], *, in_sweep: bool) -> float | None:
    plain = checked_config(config, HydraConfig.get().runtime)
    with torchvision_build_explained():
        from stnkit.experiments.loop.failures import ProcessLostError
        from stnkit.experiments.loop.run import train

    if plain["dry_run"]:
        raise InputError("dry_run: expected one value for the whole sweep, got true for this job")
    if in_sweep and not sweeps.in_this_process():
        plain["training"]["progress"] = False  # bars of several processes would overwrite each other
    to_train = config_to_train(plain, run_dir, _outcome.of_saved_config, in_sweep=in_sweep)
    if to_train is None:
        record = read_record(run_dir) or {}
        print(f"{_result(record)}  {run_dir} (already completed)", flush=True)
        return sweep_value(record, plain["sweep_objective"])
    sign()
    collect_as_usual()
    try:
        metrics = train(to_train, directories.typed_training(to_train["training"]), run_dir, _outcome.leader)
    except ProcessLostError as lost:  # never in a sweep
        print(f"\nstnkit train: {lost}: {resume_hint(run_dir)}", file=sys.stderr)
        _outcome.exit_code = 1
        return None
    except Interrupted as interruption:
        if not sweeps.parent_speaks():
            print(f"\n{interruption}: {resume_hint(run_dir)}", file=sys.stderr)
        if in_sweep:
            raise SweepInterrupted(interruption.signal_number) from interruption
        _outcome.exit_code = 128 + interruption.signal_number
        return None
    if in_sweep:
        print(f"{_result(metrics)}  {run_dir}", flush=True)
        return sweep_value(metrics, to_train["sweep_objective"])
    _print_end(metrics, run_dir)
    return None


def _print_end(metrics: Mapping[str, Any], run_dir: Path) -> None:
    print(_result(metrics))
    taken = options_from_images(metrics.get("options_from_images", {}))
    for label, text in [*taken, *chart_lines(metrics.get("charts", []))]:
        print(f"{label:<11} {text}")
    print(f"metrics     {run_dir / 'metrics.json'}")
    print(f"checkpoint  {metrics['checkpoint']}")
    if "picture" in metrics:
        print(f"picture     {metrics['picture']}  (test images before and after the transformer)")


def _result(record: Mapping[str, Any]) -> str:
    """The primary figure of a completed run, such as `test error  1.23 %`."""
    primary = primary_figure(record)
    return f"{f'test {primary.words}':<11} {primary.text(record[f'test_{primary.name}'])}"
