"""Private and undocumented APIs of Hydra 1.3, all of them in this file."""

import contextlib
import io
import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

# Private: nothing public expands a sweep into its jobs before the first of them runs.
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper

# Private: the flags of a Hydra program.
from hydra._internal.utils import get_args_parser

# `config_loader` is undocumented: the parser needs it to expand `transform=glob(*)`.
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

# Undocumented: the grammar of overrides.
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from stnkit.errors import InputError


def split_arguments(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides of a command line, and its other words, each in their order.

    Args:
        arguments: those after the command.

    Raises:
        InputError: when Hydra's parser refuses them.
    """
    parser = get_args_parser()
    parser.error = _refuse_flags  # type: ignore[method-assign]
    overrides: list[str] = parser.parse_intermixed_args([*arguments]).overrides
    waiting, flags = iter(overrides), []
    word = next(waiting, None)
    for argument in arguments:
        if argument == word:
            word = next(waiting, None)
        else:
            flags.append(argument)
    return overrides, flags


def _refuse_flags(message: str) -> NoReturn:
    head, named, words = message.partition("unrecognized arguments: ")
    if named:  # overrides behind an unknown flag are listed with it
        message = head + named + " ".join(word for word in words.split() if word.startswith("-"))
    raise InputError(f"{message}; `stnkit train --hydra-help` lists the flags")


@contextlib.contextmanager
def seen_by_resolvers(config: DictConfig) -> Iterator[None]:
    """A part of the program in which `${hydra:…}` reads this job's config, as when it runs.

    Args:
        config: of the job, with its node `hydra`.
    """
    # Undocumented: the config that the resolver reads.
    singleton = HydraConfig.instance()
    before = singleton.cfg
    singleton.set_config(config)
    try:
        yield
    finally:
        singleton.cfg = before


def task_overrides(hydra: Any) -> list[str]:
    """The overrides of the command line, as given: to read them one by one would resolve an interpolation in them.

    Args:
        hydra: the node of that name.
    """
    words: Any = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    return [str(word) for word in words]


def job_overrides(config: DictConfig) -> list[list[str]] | None:
    """The overrides of every job of a sweep, or None for a sweeper that decides on them as it goes.

    Args:
        config: composed, with its `hydra` node.
    """
    if not config.hydra.sweeper._target_.endswith(BasicSweeper.__name__):
        return None
    params = config.hydra.sweeper.params or {}
    return split_into_jobs([*(f"{key}={value}" for key, value in params.items()), *task_overrides(config.hydra)])


def job_config(config: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The config of a job of a sweep, as Hydra's launchers compose it.

    Args:
        config: of the sweep, composed, with its `hydra` node.
        overrides: of the job.
    """
    return GlobalHydra.instance().config_loader().load_sweep_config(config, [*overrides])


@contextlib.contextmanager
def jobs_composed() -> Iterator[None]:
    """A sweep whose jobs have all been composed: Hydra's own sweeper does not do it again, a tenth of a second each."""
    validate = BasicSweeper.validate_batch_is_legal
    # Hydra divides by the time that it took, which a clock of coarse ticks would say is none.
    BasicSweeper.validate_batch_is_legal = lambda self, batch: time.sleep(1e-3)  # type: ignore[method-assign]
    try:
        yield
    finally:
        BasicSweeper.validate_batch_is_legal = validate  # type: ignore[method-assign]


def split_into_jobs(overrides: Sequence[str]) -> list[list[str]]:
    """The overrides of every job, as Hydra's own sweeper expands them.

    Args:
        overrides: `KEY=VALUE,VALUE,…`, of an initialized Hydra.
    """
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides([*overrides]), None)
    return jobs


def config_groups() -> dict[str, list[str]]:
    """The names of the configs in every group of an initialized Hydra, but for Hydra's own groups."""
    loader, found = GlobalHydra.instance().config_loader(), {}
    waiting = [group for group in loader.list_groups("") if group != "hydra"]
    for group in waiting:
        if names := sorted(loader.get_group_options(group)):
            found[group] = names
        waiting += [f"{group}/{inner}" for inner in loader.list_groups(group)]
    return dict(sorted(found.items()))


def parse_override(word: str) -> tuple[str, Any]:
    """The key and the value of one override.

    Args:
        word: `KEY=VALUE`.

    Raises:
        HydraException: when it is not in Hydra's grammar.
    """
    override = OverridesParser.create().parse_override(word)
    return override.key_or_group, override.value()


def swept_keys(words: Sequence[str]) -> set[str]:
    """The keys of the overrides that sweep over values, also over equal ones.

    Args:
        words: `KEY=VALUE`, in Hydra's grammar.
    """
    overrides = OverridesParser.create().parse_overrides([*words])
    return {override.get_key_element() for override in overrides if override.is_sweep_override()}


def parse_assignment(word: str) -> tuple[str, Any]:
    """The key and the value of an override that sets one value: no deletion, no sweep, no package.

    Args:
        word: `KEY=VALUE`.

    Raises:
        HydraException: when it is not in Hydra's grammar.
        ValueError: when it is another override.
    """
    override = OverridesParser.create().parse_override(word)
    if override.is_delete() or override.is_sweep_override() or override.package is not None:
        raise ValueError(f"{word} sets no single value")
    return override.key_or_group, override.value()


def refused_group(error: BaseException) -> Any:
    """The override whose value names no config of a group, as in `transform=null`, or None for any other error.

    Hydra raises a plain ValueError that does not say which override it was.

    Args:
        error: as raised.
    """
    if not isinstance(error, ValueError) or "onfig group override" not in str(error):
        return None
    frame = list(traceback.walk_tb(error.__traceback__))[-1][0]
    return frame.f_locals.get("override")


def search_paths(runtime: Any) -> list[tuple[str, str]]:
    """The config search path, each entry with its provider. `runtime.config_sources` is undocumented.

    Args:
        runtime: `HydraConfig.get().runtime`.
    """
    return [(f"{source.schema}://{source.path}", source.provider) for source in runtime.config_sources if source.path]


def ignore_schema_advice() -> None:
    """Filter Hydra's advice on a YAML file with the name of a component; the category alone does not identify it."""
    warnings.filterwarnings("ignore", message=r"(?s)\s*'\w+/\w+' is validated against ConfigStore schema")


def completions(program: Callable[[list[str]], int], overrides: Sequence[str]) -> list[str]:
    """Hydra's answers to its own Tab completion script; only that script documents how it asks.

    Args:
        program: a Hydra program.
        overrides: the words of the line, up to the cursor.
    """
    os.environ["COMP_LINE"] = " ".join(["stnkit", *overrides])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        program(["-sc", "query=bash"])
    return printed.getvalue().split()
