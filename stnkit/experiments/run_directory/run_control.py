"""Options that control how a run is carried out, and do not change its results: they are not part of a job."""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stnkit.plugin_system import KINDS, plugin_registry, run_control_options

# Those of the application; components declare their own.
RUN_CONTROL = (
    "resume",
    "skip_completed",
    "overwrite",
    "dry_run",
    "fail_fast",
    "sweep_objective",
    "training.progress",
    "training.checkpoint_every",
    "training.loggers",
    "training.accelerator",
    "training.devices",
    "training.strategy",
)
# The keys on the way to a value of a config; the index of an item of a list is one too.
KeyPath = tuple[str | int, ...]


def run_control_paths(config: Mapping[str, Any]) -> list[KeyPath]:
    """The paths to all options of a config that control the run: RUN_CONTROL, and those that components declare.

    The options of a component inside another one, such as the dataset of a dataset, count too.

    Args:
        config: composed and resolved, as plain values.
    """
    return [tuple(key.split(".")) for key in RUN_CONTROL] + component_paths(config)


def component_paths(config: Mapping[str, Any]) -> list[KeyPath]:
    """The paths to the options that the components of a config declare to control the run.

    Args:
        config: composed and resolved, as plain values.
    """
    placement = config.get("placement")
    parts = placement.get("parts") if isinstance(placement, Mapping) else None
    own = parts if isinstance(parts, Mapping) else {}
    places: list[tuple[KeyPath, Any]] = [((), config)]
    places += [(("placement", "parts", point), options) for point, options in own.items()]
    return [
        path
        for before, options in places
        if isinstance(options, Mapping)
        for kind in KINDS
        for path in _paths_in(options.get(kind), kind, (*before, kind))
    ]


def without(config: Mapping[str, Any], paths: Iterable[Sequence[str | int]]) -> dict[str, Any]:
    """A copy of a config without the values at some paths; it may have none there.

    Args:
        config: as plain values.
        paths: as `run_control_paths` returns them.
    """
    rest = copy.deepcopy(dict(config))
    for *before, last in paths:
        found: Any = rest
        for key in before:
            found = _item(found, key)
        if isinstance(found, dict):
            found.pop(last, None)
    return rest


def without_run_control(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config without the options that control the run: equal for two runs with equal results.

    A component inside another one that is left with its name alone is the name, as a user may write it.

    Args:
        config: composed and resolved, as plain values.
    """
    rest = without(config, run_control_paths(config))
    return {
        key: {k: _named(v) for k, v in value.items()} if key in KINDS and isinstance(value, dict) else value
        for key, value in rest.items()
    }


def recorded_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config in the record: without the options of one command, which a resumed run does not share.

    Args:
        config: of the run, as plain values.
    """
    control = ("skip_completed", "overwrite", "fail_fast")
    return {key: value for key, value in config.items() if key not in control} | {"resume": None}


def _paths_in(value: Any, kind: str, before: KeyPath) -> Iterator[KeyPath]:
    """The paths inside the mapping of a component, and of those that are its options."""
    if isinstance(value, Mapping):
        declared = _declared_by(kind, value.get("name"))
        for key, inner in value.items():
            if key in declared:
                yield (*before, key)
            else:
                yield from _paths_in(inner, kind, (*before, key))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _paths_in(inner, kind, (*before, index))


def _declared_by(kind: str, name: Any) -> tuple[str, ...]:
    """The declaration of the component of that name: one of the kind that it is inside, else of any other."""
    for each in dict.fromkeys((kind, *KINDS)):
        providers = plugin_registry().providers(each, name) if isinstance(name, str) else []
        if len(providers) == 1:
            return run_control_options(providers[0].component)
    return ()


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        return value["name"] if [*value] == ["name"] else {key: _named(item) for key, item in value.items()}
    return [_named(item) for item in value] if isinstance(value, list) else value


def _item(value: Any, key: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(key)
    return value[key] if isinstance(value, list) and isinstance(key, int) and key < len(value) else None
