"""What `stnkit train -m` says about its cells, from whichever process, and how the sweep ended."""

import dataclasses
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig

from stnkit import errors
from stnkit.experiments.run_directory.record import FILE, RunRecord, read_record

TRACEBACK = "traceback.txt"


@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep that this process has started.

    Args:
        directory: of all its cells.
        began: time of the file system, so that it can be compared with the files of other machines.
    """

    directory: Path
    began: int

    def failures(self) -> dict[Path, str]:
        """Run directory and error of every cell that has failed since the sweep began."""
        failed = {}
        for path in sorted(self.directory.rglob(FILE)):
            if path.stat().st_mtime_ns >= self.began:
                try:
                    told = read_record(path.parent) or {}
                except ValueError:
                    continue
                if told.get("status") == "failed":
                    failed[path.parent] = str(told.get("error"))
        return failed

    def say_how_it_ended(self) -> int:
        """Name the cells that failed; 2 when all of them are for the user to mend, 1 when anything else failed."""
        failures = self.failures()
        if failures:
            where = ", ".join(map(str, failures))
            _say(f"{len(failures)} of the cells failed: {where}; {self._how_to_go_on()}")
        print(f"table       stnkit report {self.directory}")
        ours = tuple(f"{name}:" for name, kind in vars(errors).items() if isinstance(kind, type))
        if not failures:
            return 0
        return 2 if all(error.startswith(ours) for error in failures.values()) else 1

    def say_that_it_ended_early(self, error: BaseException) -> int:
        """Say what a signal or a launcher has left undone, and return the exit code.

        Args:
            error: what has ended it.
        """
        interrupted = isinstance(error, KeyboardInterrupt)
        why = "interrupted" if interrupted else f"{type(error).__name__}: {error}".splitlines()[0]
        _say(f"the sweep has ended early: {why}; {self._how_to_go_on()}")
        if isinstance(error, SweepInterrupted):
            return 128 + error.signal_number
        return 130 if interrupted else 1

    def _how_to_go_on(self) -> str:
        return f"the same command with hydra.sweep.dir={self.directory} skip_completed=true does what is left"


# Of this process; launchers' workers have none.
started: list[Sweep] = []


class SweepInterrupted(KeyboardInterrupt):
    """A signal that ends the whole sweep and not only its cell.

    Args:
        signal_number: which signal it was.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def alone() -> bool:
    """Whether the cells of a sweep run one after the other, in the process that started it."""
    return bool(started)


class Cells(Callback):
    """Says which cell begins. Hydra sends a copy of it to every worker.

    Attributes:
        n: number of cells, or None for a sweeper that decides as it goes.
        varying: keys of the overrides that differ between cells.
    """

    def __init__(self) -> None:
        self.n: int | None = None
        self.varying: set[str] = set()

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        directory = Path(config.hydra.sweep.dir)
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=directory) as file:
            started.append(Sweep(directory, Path(file.name).stat().st_mtime_ns))
        cells = _cells(config)
        if cells is not None:
            self.n = len(cells)
            values = [dict(override.split("=", 1) for override in cell) for cell in cells]
            self.varying = {key for key in values[0] if len({cell[key] for cell in values}) > 1} if values else set()
        count = "cells" if self.n is None else f"{self.n} cells"
        print(f"sweep       {count} in {directory}", flush=True)

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        if config.hydra.mode is not RunMode.MULTIRUN:
            return
        overrides = [o for o in config.hydra.overrides.task if o.split("=", 1)[0] in self.varying]
        of = "" if self.n is None else f" of {self.n}"
        print(f"cell {config.hydra.job.num + 1}{of}: {' '.join(overrides)}".rstrip(": "), flush=True)


def _cells(config: DictConfig) -> Sequence[Sequence[str]] | None:
    """The overrides of every cell, as Hydra's own sweeper will make them."""
    if not config.hydra.sweeper._target_.endswith(BasicSweeper.__name__):
        return None
    params = config.hydra.sweeper.params or {}
    given = [*(f"{key}={value}" for key, value in params.items()), *config.hydra.overrides.task]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    (cells,) = BasicSweeper.split_arguments(parser.parse_overrides(given), None)
    return cells


def record_failure(run_dir: Path, error: Exception) -> None:
    """A cell that failed before it could say so itself says so too.

    Args:
        run_dir: of the cell.
        error: why it failed.
    """
    try:
        told = read_record(run_dir) or {}
    except ValueError:
        told = {}
    if told.get("status") != "failed":
        RunRecord(run_dir, told).update(status="failed", error=f"{type(error).__name__}: {error}")


def say_unexpected(run_dir: Path, error: Exception) -> None:
    """One line about what is no user's mistake, and its traceback in a file.

    Args:
        run_dir: of the cell.
        error: which is being handled.
    """
    path = run_dir / TRACEBACK
    path.write_text(traceback.format_exc())
    first = (str(error).splitlines() or [""])[0]
    _say(f"{run_dir}: {type(error).__name__}: {first} (its traceback is in {path})")


def _say(sentence: str) -> None:
    print(f"stnkit train: {sentence}", file=sys.stderr, flush=True)
