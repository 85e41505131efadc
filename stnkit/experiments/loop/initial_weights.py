"""The weights that a run starts from: those of another run, whose provenance is recorded."""

import hashlib
from pathlib import Path
from typing import Any

from torch import nn

from stnkit.errors import CheckpointError, InputError
from stnkit.experiments.run_directory.checkpoints import kept_checkpoint, network_weights, read_checkpoint
from stnkit.experiments.run_directory.record import FILE, read_record

# Number of names that a message lists.
LISTED = 3


def load_initial_weights(network: nn.Module, init_from: str) -> dict[str, Any]:
    """Give a network the weights that another run has kept.

    Args:
        network: built like that of the other run.
        init_from: directory of the other run.

    Returns:
        The provenance: `run`, `checkpoint` and its `sha256`, and the `epoch` and `step` after which it was saved.

    Raises:
        InputError: when there is no such run, its checkpoint is missing or damaged, or its network is another one.
    """
    run_dir = Path(init_from)
    try:
        record = read_record(run_dir)
    except ValueError as error:
        raise InputError(f"init_from={init_from}: its {FILE} is damaged: {error}") from error
    if record is None:
        raise InputError(f"init_from={init_from}: expected a run directory, got one without {FILE}")
    keep = record.get("config", {}).get("training", {}).get("keep", "last")
    path = kept_checkpoint(run_dir, keep)
    try:
        checkpoint = read_checkpoint(path)
        weights = network_weights(checkpoint)
    except (CheckpointError, KeyError) as error:
        raise InputError(f"init_from={init_from}: {error}") from error
    _load(network, weights, init_from)
    return {
        "run": init_from,
        "checkpoint": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "epoch": checkpoint.get("epoch"),
        "step": checkpoint.get("global_step"),
    }


def _load(network: nn.Module, weights: dict[str, Any], init_from: str) -> None:
    own = network.state_dict()
    differing = [name for name in own if name in weights and own[name].shape != weights[name].shape]
    if differing:
        shapes = [
            f"{name} of shape {list(weights[name].shape)} instead of {list(own[name].shape)}" for name in differing
        ]
        raise InputError(f"init_from={init_from}: expected the weights of the same network, got {_listed(shapes)}")
    found = network.load_state_dict(weights, strict=False)
    if found.missing_keys or found.unexpected_keys:
        lists = [("no ", found.missing_keys), ("also ", found.unexpected_keys)]
        got = " and ".join(f"{word}{_listed(names)}" for word, names in lists if names)
        raise InputError(f"init_from={init_from}: expected the weights of the same network, got {got}")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
