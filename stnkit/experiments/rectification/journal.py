"""Journal: what an output folder has already, so that the same command goes on where it was stopped."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from stnkit.errors import InputError
from stnkit.experiments.rectification.inputs import Input
from stnkit.experiments.rectification.table import Row
from stnkit.files.locks import try_lock

NAME = ".stnkit-apply.jsonl"
# The key of a command that names a run for people: its weights say which one it is, wherever it has moved to.
RUN = "run"


class Journal:
    """The rows of the results in an output folder, one line of JSON each, written as soon as a result is there.

    The first line has the run and the options. A file counts as done while its size and time are those of before it
    was read, and its results exist, with what is beside them. The journal is locked while it is open.

    Args:
        folder: of the results; made if it does not exist.
        command: plain values that say which run and options the results are of; `RUN` is the place of the run.
        overwrite: begin anew, whatever the folder has.

    Raises:
        InputError: when the folder has the results of another command, or other files, or is in use, or cannot be
            written.
    """

    def __init__(self, folder: Path, command: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self.folder = folder
        path = folder / NAME
        if folder.exists() and not folder.is_dir():
            raise InputError(f"output: expected a folder, got {folder}, a file")
        if folder.is_dir() and not path.exists() and any(folder.iterdir()) and not overwrite:
            raise InputError(f"output: expected an empty or a new folder, got {folder}; --overwrite writes there")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"output: expected a folder that can be written, got {folder}: {error.strerror or error}"
            ) from None
        try:
            if try_lock(self._file.fileno()) is False:
                raise InputError(f"output: {folder} is being written by another process")
            if overwrite:
                self._file.truncate(0)
            self._file.seek(0)
            text = self._file.read()
            entries = [entry for line in text.splitlines() if (entry := _parsed(line)) is not None]
            before, lines = (entries[0], entries[1:]) if entries else (None, [])
            different = [] if before is None else [key for key in command if before.get(key) != command[key]]
            if before is not None and set(different) - {RUN}:
                raise InputError(
                    f"output: {folder} has results with {_told(before, different)}, got {_told(command, different)}: "
                    "choose another folder, or --overwrite"
                )
            self.rows: dict[str, list[Row]] = {}
            self._sources: dict[str, tuple[str, tuple[int, ...]]] = {}
            try:
                for line in lines:
                    self.rows[line["name"]] = [Row.of_json(row) for row in line["rows"]]
                    self._sources[line["name"]] = line["source"], tuple(line["state"])
            except (KeyError, TypeError) as error:
                raise InputError(
                    f"output: {path} is damaged, or of another version of stnkit: choose another folder, or --overwrite"
                ) from error
            if text and not text.endswith("\n"):  # of a process that was killed
                print(file=self._file, flush=True)
            if before is None:
                print(json.dumps(command), file=self._file, flush=True)
        except BaseException:
            self._file.close()
            raise

    @property
    def written(self) -> dict[str, str]:
        """Names of the files that were written ↦ their inputs."""
        return {made: name for name, rows in self.rows.items() for row in rows for made in row.written}

    def close(self) -> None:
        """Release the lock."""
        self._file.close()

    def has(self, given: Input) -> bool:
        """True if the results of a file are there.

        Args:
            given: the file.

        Raises:
            InputError: when the results of another file have its name.
        """
        if given.name not in self.rows:
            return False
        source, state = self._sources[given.name]
        if source != str(given.path.resolve()):
            raise InputError(
                f"output: {self.folder} has the results of {source} by the name of {given.path}: choose another "
                "folder, or --overwrite"
            )
        rows = self.rows[given.name]
        return (
            state == given.state
            and not any(row.error for row in rows)
            and all((self.folder / name).is_file() for row in rows for name in row.written)
        )

    def add(self, given: Input, rows: list[Row]) -> None:
        """Note the results of a file, and remove those of its former content that these have not replaced.

        Args:
            given: the file.
            rows: of its images.

        Raises:
            OSError: when one of those cannot be removed.
        """
        kept = {name for row in rows for name in row.written}
        for row in self.rows.get(given.name, ()):
            for name in set(row.written) - kept:
                (self.folder / name).unlink(missing_ok=True)
        self._sources[given.name] = str(given.path.resolve()), given.state
        self.rows[given.name] = rows
        line = {"name": given.name, "source": str(given.path.resolve()), "state": given.state}
        print(json.dumps({**line, "rows": [row.as_json() for row in rows]}), file=self._file, flush=True)


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _told(command: Mapping[str, Any], keys: list[str]) -> str:
    return ", ".join(f"{key}={command.get(key)}" for key in keys)
