"""Cells of a sweep: a cell is a resolved config, and knows its run directory again."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError

from stnkit.experiments.run_directory.record import read_record

CONFIG = "config.yaml"
# Where and how a run is carried out, and not what it computes.
RUN_CONTROL = (
    "resume",
    "skip_completed",
    "training.progress",
    "training.checkpoint_every",
    "training.loggers",
    "training.accelerator",
    "training.devices",
    "training.strategy",
)
# What the config of a directory said when it was read: path -> (time of its last change, cell).
_seen: dict[Path, tuple[int, str]] = {}


def cell_of(config: Mapping[str, Any]) -> str:
    """The digest of a config without RUN_CONTROL: equal for two runs that compute the same.

    Args:
        config: composed and resolved, as plain values.
    """
    kept = json.loads(json.dumps(config, default=str))
    for key in RUN_CONTROL:
        *sections, last = key.split(".")
        section = kept
        for name in sections:
            section = section.get(name, {})
        section.pop(last, None)
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def cell_in(run_dir: Path) -> str | None:
    """The cell that a run directory belongs to, or None where no run has begun."""
    path = run_dir / CONFIG
    try:
        changed = path.stat().st_mtime_ns
        if _seen.get(path, (0, ""))[0] != changed:
            config: Any = OmegaConf.to_container(OmegaConf.load(path))
            _seen[path] = changed, cell_of(config)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, YAMLError, ValueError, TypeError, AttributeError):
        return "damaged"  # no cell's, and not ours to overwrite
    return _seen[path][1]


def subdirectory_of(cell: str, number: int, sweep_dir: Path) -> str:
    """Where a cell runs: where it has run before, else under its number, unless another cell is there.

    So a sweep can be continued in another order, or with other cells in front, and never overwrites another's.

    Args:
        cell: as `cell_of` gives it.
        number: of the job.
        sweep_dir: of the sweep; it need not be there.
    """
    if sweep_dir.is_dir():
        own = [path for path in sorted(sweep_dir.iterdir()) if cell_in(path) == cell]
        if own:
            # One cell can have run twice: what is completed counts.
            return max(own, key=lambda path: (_status(path) == "completed", path.name == str(number))).name
    return str(number) if cell_in(sweep_dir / str(number)) is None else f"{number}-{cell[:8]}"


def _status(run_dir: Path) -> Any:
    try:
        return (read_record(run_dir) or {}).get("status")
    except ValueError:
        return None
