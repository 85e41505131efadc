"""The checkpoint of a run directory, read without executing code in it."""

import pickle
from pathlib import Path
from typing import Any

import torch

from stnkit.errors import CheckpointError

FOLDER = "checkpoints"
LAST = "last.ckpt"


def last_checkpoint(run_dir: Path) -> Path:
    """The path of the last checkpoint of a run.

    Args:
        run_dir: of the run.
    """
    return run_dir / FOLDER / LAST


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
            f"checkpoint {path} holds more than tensors and plain values, and code is not loaded: {_first(error)}"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"checkpoint {path} is cut short or damaged: {_first(error)}") from error
    return content


def _first(error: BaseException) -> str:
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0].split(". ")[0]
