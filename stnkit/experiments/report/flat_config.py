"""A resolved config as flat keys: `transform` is a name, `transform.ndim` an option of the one that has it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stnkit.errors import InputError
from stnkit.experiments.run_directory.job_identity import RUN_CONTROL
from stnkit.plugin_system.kinds import KINDS

# What leaves the result of a run as it is. The seed changes it, and is what a cell takes the mean over.
CONTROL = frozenset((*RUN_CONTROL, "seed"))
# The entry that stands for its whole group.
HEADS = ("name", "at")
# Said of a key that a run does not have.
ABSENT = "–"
NO_TRANSFORM = "none"
PLACEMENT = "placement"
OF_A_TRANSFORMER = ("transform", "localizer", "sampler", "out_size", "training.localizer_scale")
# Groups in the order in which they explain a difference, before everything else.
GROUPS = ("network", PLACEMENT, *(kind for kind in KINDS if kind != "network"))


def flatten(config: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a config that can make two cells differ, with their values.

    A network without transformers has the transform "none", and no localizer and sampler, whatever its config says.

    Args:
        config: resolved, as plain values.
    """
    flat = {key: value for key, value in _flatten(config, "") if key not in CONTROL}
    if flat.get(PLACEMENT) == []:
        unused = tuple(f"{key}." for key in (*OF_A_TRANSFORMER, PLACEMENT))
        flat = {k: v for k, v in flat.items() if k not in OF_A_TRANSFORMER and not k.startswith(unused)}
        flat[OF_A_TRANSFORMER[0]] = NO_TRANSFORM
    return flat


def identity(flat: Mapping[str, Any], key: str) -> str:
    """The value as a text that two values share when they are equal, and an empty one where there is none."""
    return json.dumps(flat[key], sort_keys=True) if key in flat else ""


def label(flat: Mapping[str, Any], key: str) -> str:
    """The value as a reader writes it: 4×4, none, conv2+conv3."""
    if key not in flat:
        return ABSENT
    value = flat[key]
    if isinstance(value, str):
        return value
    if value == []:
        return "none"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "+".join(value)
    if isinstance(value, list) and all(isinstance(item, int | float) for item in value):
        return "×".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)


def checked_key(name: str, flats: list[dict[str, Any]]) -> str:
    """A key as the user wrote it: `transform.name` is `transform`, `placement.at` is `placement`.

    Args:
        name: as it was written.
        flats: of all runs.

    Raises:
        InputError: when it is the seed, or no run has it.
    """
    group, _, last = name.rpartition(".")
    key = group if last in HEADS and group else name
    if key == "seed":
        raise InputError("the seed is no row or column: a cell is the mean over its seeds")
    known = {key for flat in flats for key in flat}
    if key not in known:
        raise InputError(f"no run has the key {name!r}; the keys are {', '.join(sorted(known))}")
    return key


def is_group(key: str) -> bool:
    """Whether the key names a part, so that its value says enough without it."""
    return key in GROUPS


def _flatten(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if prefix and name in HEADS:
            yield prefix.removesuffix("."), value
        elif isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
