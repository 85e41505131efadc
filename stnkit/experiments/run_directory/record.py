"""metrics.json: the record of a run, from its first second to its last."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stnkit.errors import DataError, StnkitError
from stnkit.experiments.run_directory.config_in_json import (
    config_as_json,
    config_from_json,
    with_numbers_of_yaml,
)
from stnkit.files.atomic import write_atomically

FILE = "metrics.json"
CONFIG = "config.yaml"
LOG_FILE = "train.log"


class RunRecord:
    """The record of a run directory. Every update is on disk when the call returns.

    `status` is "running", "completed", "failed" (with the values of `failure`) or "interrupted".

    Args:
        run_dir: created if missing.
        values: of an earlier part of the run.
        written: True to write the file: in one of several processes.
        deferred: True to write nothing before `begin`: a mistake in resuming a run must leave it as it was.
    """

    def __init__(
        self, run_dir: Path, values: dict[str, Any] | None = None, *, written: bool = True, deferred: bool = False
    ) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self.path = run_dir / FILE
        self.written = written
        self.deferred = deferred
        self.values: dict[str, Any] = dict(values or {})

    def update(self, **values: Any) -> None:
        """Set values and write the file.

        Args:
            values: by key; others stay.
        """
        self.values.update(values)
        if self.written and not self.deferred:
            write_atomically(self.path, json.dumps(record_as_json(self.values), indent=2) + "\n")

    def begin(self) -> None:
        """Write what was deferred, and from now on every value."""
        if self.deferred:
            self.deferred = False
            self.update()


def failure(error: BaseException) -> dict[str, Any]:
    """The values of a record that say that a run failed, and why.

    Args:
        error: that ended the run.
    """
    return {
        "status": "failed",
        "error": f"{type(error).__name__}: {error}",
        "is_users_error": isinstance(error, StnkitError) and error.is_users,
    }


def read_record(run_dir: Path) -> dict[str, Any] | None:
    """The record of a run directory, or None if it has none.

    Args:
        run_dir: perhaps of a run.

    Raises:
        ValueError: when the file is not JSON.
    """
    path = run_dir / FILE
    if not path.is_file():
        return None
    values = json.loads(path.read_text())
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a JSON object")
    return record_from_json(values, run_dir)


def remove_unfinished(run_dir: Path) -> None:
    """Remove what a process has left that was killed while it wrote the record.

    Args:
        run_dir: of the run that this process begins or continues, and no other one.
    """
    for unfinished in run_dir.glob(f".{FILE}-*"):
        unfinished.unlink(missing_ok=True)


def check_same_data(recorded: Mapping[str, Any], **found: Any) -> None:
    """Raise a DataError if a run is resumed on other data: options of the dataset say only where its data lie.

    Args:
        recorded: values of the record; a run that begins has none of these.
        found: values of the data now, by key.
    """
    for key, value in found.items():
        if key in recorded and recorded[key] != value:
            raise DataError(
                f"resume: expected the data that the run was trained on, {key} {recorded[key]}, got {value}"
            )


def record_as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """A record as JSON holds it: a figure that is not finite is null, an option is a text that is read back.

    Args:
        values: of the record.
    """
    plain: dict[str, Any] = jsonable(dict(values))
    return plain | ({"config": config_as_json(values["config"])} if "config" in values else {})


def record_from_json(values: dict[str, Any], run_dir: Path) -> dict[str, Any]:
    """A record from JSON, with the numbers in its config.

    Args:
        values: as `record_as_json` returns them.
        run_dir: of the run; an earlier version has recorded null for an option that its config.yaml has.
    """
    recorded = values.get("config")
    if not isinstance(recorded, dict):
        return values
    config = config_from_json(recorded)
    if config == recorded:
        config = with_numbers_of_yaml(config, run_dir / CONFIG)
    return values | {"config": config}


def jsonable(value: Any) -> Any:
    """Plain figures for JSON, which has no NaN: numbers that are not finite become null.

    Args:
        value: plain, of any depth.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value
