"""A resolved config as flat keys: `transform` is the name of a component, `transform.ndim` an option of it."""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from stnkit.errors import InputError
from stnkit.experiments.run_directory.run_control import RUN_CONTROL
from stnkit.plugin_system import KINDS

# Keys that do not change the result of a run, and the seed, over which a cell takes its mean.
CONTROL = frozenset((*RUN_CONTROL, "seed"))
# The entry of a component that stands for its whole mapping.
NAME = "name"
PLACEMENT = "placement"
# The entry that stands for the placement; an option `at` of a component is a key of its own.
POINTS = f"{PLACEMENT}.at"
# Label of a key that a run does not have.
ABSENT = "–"
NO_TRANSFORM = "none"
TRANSFORM = "transform"
OF_A_TRANSFORMER = (TRANSFORM, "localizer", "sampler", "out_size", "transform_init", "training.localizer_scale")
# Groups, in the order in which they are preferred as axes; they precede all other keys.
GROUPS = ("objective", "network", PLACEMENT, *(kind for kind in KINDS if kind not in ("objective", "network")))


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a config that can distinguish two cells, with their values.

    A network without transformers has the transform "none" and neither localizer nor sampler, whatever the config has.

    Args:
        config: resolved, as plain values.
    """
    flat = {key: value for key, value in _flatten(config, "") if key not in CONTROL}
    if flat.get(PLACEMENT) == []:
        unused = tuple(f"{key}." for key in (*OF_A_TRANSFORMER, PLACEMENT))
        flat = {k: v for k, v in flat.items() if k not in OF_A_TRANSFORMER and not k.startswith(unused)}
        flat[TRANSFORM] = NO_TRANSFORM
    return flat


def identity(flat: Mapping[str, Any], key: str) -> str:
    """The value as JSON, equal for equal values; empty where there is none."""
    return json.dumps(flat[key], sort_keys=True) if key in flat else ""


def label(flat: Mapping[str, Any], key: str) -> str:
    """The value as it is printed, such as 4×4, none or conv2+conv3."""
    if key not in flat:
        return ABSENT
    value = flat[key]
    if isinstance(value, str):
        return value
    if value == []:
        return "none"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "+".join(value)
    if isinstance(value, list) and all(isinstance(item, int) and not isinstance(item, bool) for item in value):
        return "×".join(map(str, value))
    return _printed(value)


def checked_key(name: str, flats: list[dict[str, Any]]) -> str:
    """The flat key for one that a user gave: `transform` for `transform.name`, `placement` for `placement.at`.

    Args:
        name: as given.
        flats: of all runs.

    Raises:
        InputError: when it is the seed, or no run has it.
    """
    if name == "seed":
        raise InputError("the seed cannot be a row or column: a cell is the mean over its seeds")
    known = {key for flat in flats for key in flat}
    group, _, last = name.rpartition(".")
    key = group if name not in known and (last == NAME or name == POINTS) else name
    if key not in known:
        raise InputError(f"no run has the key {name!r}; the keys are {', '.join(sorted(known))}")
    return key


def is_group(key: str) -> bool:
    """True if the value of the key is a name that needs no `key=` before it."""
    return key in GROUPS


def _printed(value: Any) -> str:
    """The value as JSON, but infinity and NaN, also in a list, as on the command line."""
    if isinstance(value, list):
        return f"[{', '.join(map(_printed, value))}]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _flatten(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        key = f"{prefix}{name}"
        if key == POINTS or (prefix and name == NAME and isinstance(value, str)):
            yield prefix.removesuffix("."), value
        elif isinstance(value, Mapping):
            yield from _flatten(value, f"{key}.")
        else:
            yield key, value
