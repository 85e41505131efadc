"""Checkpoints: written whole or not at all, read without executing what is in them."""

import os
import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.fabric.utilities.types import _PATH

from stnkit.errors import CheckpointError

FOLDER = "checkpoints"
LAST = "last.ckpt"


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves under a temporary name in the same folder and renames.

    Lightning's own goes through the system's temporary folder, and a move between file systems can be cut short.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: _PATH, storage_options: Any = None) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.part")
        with temporary.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)


def last_checkpoint(run_dir: Path) -> Path:
    """Where the last checkpoint of a run is."""
    return run_dir / FOLDER / LAST


def verify_checkpoint(path: Path) -> None:
    """Read a checkpoint through, without executing what is in it.

    Raises:
        CheckpointError: when it is missing, cut short, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}: name the directory of a run that was interrupted")
    read_checkpoint(path)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint holds, on the CPU, without executing what is in it.

    Raises:
        CheckpointError: when it is missing, cut short, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"checkpoint {path} holds more than tensors and plain values, and code is not loaded: {_first(error)}"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"checkpoint {path} is cut short or damaged: {_first(error)}") from error
    return content


def _first(error: BaseException) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0]
