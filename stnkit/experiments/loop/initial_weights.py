"""The weights that a run starts from: those of another run, whose provenance is recorded."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from stnkit.errors import CheckpointError, InputError
from stnkit.experiments.loop.initial_objective import take_state
from stnkit.experiments.loop.initial_parts import checked_parts, is_in, load_part, other_shapes
from stnkit.experiments.placement import TransformedNetwork
from stnkit.experiments.run_directory.checkpoints import kept_checkpoint, network_weights, read_checkpoint
from stnkit.experiments.run_directory.record import FILE, read_record
from stnkit.insertion.find import find_transformers
from stnkit.insertion.points import submodule_names
from stnkit.listed import listed
from stnkit.objectives import Objective

# Keys of the config that determine the network.
OF_THE_NETWORK = ("network", "transform", "localizer", "placement", "out_size")


def load_initial_weights(
    network: nn.Module, init_from: str, config: Mapping[str, Any] | None = None, objective: Objective | None = None
) -> dict[str, Any]:
    """Give a network, or the parts of it that `init_parts` names, the weights that another run has kept.

    An objective of the same name and shapes gets its state with them, unless `init_parts` names parts of the network.

    Args:
        network: built like that of the other run, or with such parts.
        init_from: directory of the other run.
        config: of the network, as plain values: for `init_parts`, `transform_init` and messages.
        objective: that is trained with the network; None to leave it.

    Returns:
        The provenance: `run`, `checkpoint` and its `sha256`, the `epoch` and `step` after which it was saved, the
        `parts` where they were named, and for an `objective` that has a state True if it is that of the other run.

    Raises:
        InputError: when there is no such run, its checkpoint is missing or damaged, its network or a part of it is
            another one, there is no such part, or the weights would replace the θ of `transform_init`.
    """
    run_dir = Path(init_from)
    try:
        record = read_record(run_dir)
    except ValueError as error:
        raise InputError(f"init_from={init_from}: its {FILE} is damaged: {error}") from error
    if not run_dir.exists():
        raise InputError(f"init_from={init_from}: expected a run directory, got {init_from}, which does not exist")
    if record is None:
        raise InputError(f"init_from={init_from}: expected a run directory, got one without {FILE}")
    recorded = record.get("config", {})
    training = recorded.get("training", {}) if isinstance(recorded, dict) else None
    if not isinstance(training, dict):
        raise InputError(f"init_from={init_from}: expected the config of a run in its {FILE}, got {recorded!r}")
    path = kept_checkpoint(run_dir, training.get("keep", "last"))
    try:
        checkpoint = read_checkpoint(path)
        weights = network_weights(checkpoint)
    except (CheckpointError, KeyError) as error:
        raise InputError(f"init_from={init_from}: {error}") from error
    config = config or {}
    parts = config.get("init_parts")
    if parts is None:
        differing = _differing(recorded, config)
        lead = f"init_from={init_from}: " + (f"its network differs: {listed(differing)}; " if differing else "")
        _load(network, weights, lead)
    else:
        for own, theirs in checked_parts(parts).items():
            load_part(network, own, weights, theirs, f"init_from={init_from}: ")
        _check_theta_stays(network, parts, config)
    told: dict[str, Any] = {} if parts is None else {"parts": dict(parts)}
    if objective is not None and objective.state_dict():
        told["objective"] = parts is None and take_state(objective, checkpoint, recorded, config)
    return {
        "run": init_from,
        "checkpoint": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "epoch": checkpoint.get("epoch"),
        "step": checkpoint.get("global_step"),
        **told,
    }


def _check_theta_stays(network: nn.Module, parts: Mapping[str, str], config: Mapping[str, Any]) -> None:
    """Refuse a `transform_init` of a transformer whose head, which gives θ, has the weights of the other run."""
    found = network.transformers() if isinstance(network, TransformedNetwork) else find_transformers(network)
    own = config.get("placement", {}).get("parts") or {}
    names = submodule_names(network)
    for point, transformer in found.items():
        chosen = own.get(point.partition(" ")[0]) or {}  # parallel ones are numbered
        init = chosen.get("transform_init", config.get("transform_init"))
        head = names[transformer.head]
        if init is not None and (loaded := [part for part in parts if is_in(head, part) or is_in(part, head)]):
            raise InputError(
                f"transform_init: expected null with the weights of {loaded[0]}, which include θ, got {init}"
            )


def transform_inits(config: Mapping[str, Any]) -> list[Any]:
    """The `transform_init` of a config and of its insertion points, null included.

    Args:
        config: of the run, as plain values.
    """
    parts = (config.get("placement", {}).get("parts") or {}).values()
    return [
        config.get("transform_init"),
        *(part.get("transform_init") for part in parts if isinstance(part, Mapping)),
    ]


def _load(network: nn.Module, weights: dict[str, Any], lead: str) -> None:
    if shapes := other_shapes(network.state_dict(), weights):
        raise InputError(f"{lead}expected the weights of the same network, got {listed(shapes)}")
    found = network.load_state_dict(weights, strict=False)
    if found.missing_keys or found.unexpected_keys:
        lists = [("no ", found.missing_keys), ("also ", found.unexpected_keys)]
        got = " and ".join(f"{word}{listed(names)}" for word, names in lists if names)
        raise InputError(f"{lead}expected the weights of the same network, got {got}")


def _differing(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """The keys of the network in which two configs differ, with both values."""
    theirs, own = (
        {key: value for name in OF_THE_NETWORK if name in config for key, value in _flat(name, config[name])}
        for config in (there, here)
    )
    # A key that only one of them has is an option of another component, or of another version.
    return [
        f"{key}={json.dumps(theirs[key])} there, {json.dumps(own[key])} here"
        for key in theirs
        if key in own and theirs[key] != own[key]
    ]


def _flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        yield key, value
        return
    for option, inner in value.items():
        yield (key, inner) if option == "name" else (f"{key}.{option}", inner)
