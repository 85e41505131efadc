"""The checkpoint of a run directory, read without executing code in it."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from stnkit.errors import CheckpointError, first_line

FOLDER = "checkpoints"
LAST = "last.ckpt"
BEST = "best.ckpt"


def last_checkpoint(run_dir: Path) -> Path:
    """The path of the last checkpoint of a run.

    Args:
        run_dir: of the run.
    """
    return run_dir / FOLDER / LAST


def best_checkpoint(run_dir: Path) -> Path:
    """The path of the weights with the best primary figure in validation, which a run with `training.keep=best` writes.

    Args:
        run_dir: of the run.
    """
    return run_dir / FOLDER / BEST


def kept_checkpoint(run_dir: Path, keep: str) -> Path:
    """The path of the weights that a run holds: the best where it keeps those and has any, else the last.

    Args:
        run_dir: of the run.
        keep: its `training.keep`.
    """
    best = best_checkpoint(run_dir)
    return best if keep == "best" and best.exists() else last_checkpoint(run_dir)


def network_weights(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The network's part of the task's state dict.

    Args:
        checkpoint: as `read_checkpoint` returns it.
    """
    return _weights_of("network.", checkpoint)


def objective_weights(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The objective's part of the task's state dict; most objectives have none.

    Args:
        checkpoint: as `read_checkpoint` returns it.
    """
    return _weights_of("objective.", checkpoint)


def _weights_of(prefix: str, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    state = checkpoint["state_dict"]
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def verify_checkpoint(path: Path) -> None:
    """Read a whole checkpoint, without executing code in it.

    Args:
        path: of the checkpoint.

    Raises:
        CheckpointError: when it is missing, cut short, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}: name the directory of a run that was interrupted")
    read_checkpoint(path)


def steps_in(run_dir: Path) -> int:
    """The training steps that the last checkpoint of a run holds; 0 where the run has none yet.

    Args:
        run_dir: of the run.

    Raises:
        CheckpointError: when it is cut short or damaged.
    """
    path = last_checkpoint(run_dir)
    return int(read_checkpoint(path)["global_step"]) if path.is_file() else 0


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint, on the CPU, without executing code in it.

    Args:
        path: of the checkpoint.

    Raises:
        CheckpointError: when it is missing, cut short, or holds anything but tensors and plain values.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"checkpoint {path} holds more than tensors and plain values, and code is not loaded: "
            f"{first_line(error).split('. ')[0]}"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"checkpoint {path} is cut short or damaged: {first_line(error).split('. ')[0]}"
        ) from error
    return content
