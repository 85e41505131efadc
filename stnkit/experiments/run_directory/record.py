"""metrics.json: what a run tells about itself, from its first second to its last."""

import contextlib
import json
import math
import os
import tempfile
from pathlib import Path
from typing import Any

FILE = "metrics.json"


class RunRecord:
    """The record of a run directory. Every change is on disk, whole, when the call returns.

    `status` is "running", "completed", "failed" (with `error`) or "interrupted".

    Args:
        run_dir: made if it is not there.
        values: what an earlier part of the run has written.
        written: False for all but one of several processes.
    """

    def __init__(self, run_dir: Path, values: dict[str, Any] | None = None, *, written: bool = True) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self.path = run_dir / FILE
        self.written = written
        self.values: dict[str, Any] = dict(values or {})

    def update(self, **values: Any) -> None:
        """Set values and write the file."""
        self.values.update(values)
        if self.written:
            write_atomically(self.path, json.dumps(_jsonable(self.values), indent=2) + "\n")


def read_record(run_dir: Path) -> dict[str, Any] | None:
    """The metrics of a run directory, or None where there is no such file.

    Raises:
        ValueError: when the file is not JSON.
    """
    path = run_dir / FILE
    if not path.is_file():
        return None
    values = json.loads(path.read_text())
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a JSON object")
    return values


def write_atomically(path: Path, text: str) -> None:
    """Write under a temporary name in the same folder and rename: a reader sees the old or the new file."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def _jsonable(value: Any) -> Any:
    # JSON knows no NaN: a number that is not finite is written as null.
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value
