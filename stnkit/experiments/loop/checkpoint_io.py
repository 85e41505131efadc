"""Atomic checkpoints: a process that dies while saving leaves the previous checkpoint."""

import os
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.plugins import TorchCheckpointIO

from stnkit.errors import PluginError
from stnkit.files.atomic import whole_file

# What `torch.load` reads without executing code.
_LOADED = (
    *(bool, int, float, complex, str, bytes, bytearray, type(None)),
    *(torch.Tensor, torch.nn.Parameter, torch.Size, torch.dtype, torch.device, torch.layout),
)
_MAPPINGS = (dict, OrderedDict, Counter)
_SEQUENCES = (list, tuple, set)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Save under a temporary name in the same folder, then rename.

    Lightning saves to the system's temporary folder and moves the file, and a move between file systems can be
    cut short.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        states = checkpoint.get("callbacks", {})
        checkpoint = checkpoint | {"callbacks": {key: _plain(states[key], key) for key in states}}
        with whole_file(Path(path)) as part, part.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())


def _plain(state: Any, callback: str, where: str = "") -> Any:
    """The state of a callback with NumPy's scalars as Python's.

    Raises:
        PluginError: for anything else that could be saved and never loaded.
    """
    if isinstance(state, np.generic):
        state = state.item()
    if type(state) in _LOADED:
        return state
    if type(state) in _MAPPINGS:
        items = {_plain(key, callback, where): _plain(state[key], callback, f"{where}[{key!r}]") for key in state}
        # What needs no change stays, with the metadata that a state dict has as an attribute.
        return state if all(items.get(key) is state[key] for key in state) else type(state)(items)
    if type(state) in _SEQUENCES:
        return type(state)(_plain(item, callback, f"{where}[{i}]") for i, item in enumerate(state))
    raise PluginError(
        f"the state of the callback {callback} cannot be resumed: expected tensors and plain values, "
        f"got {type(state).__module__}.{type(state).__qualname__} in state_dict(){where}"
    )
