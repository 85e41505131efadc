"""The jobs that one sweep has worked on, noted in a folder while it runs: other sweeps may run in its directory too."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

from stnkit.files.atomic import write_atomically

_PREFIX = ".sweep-"


def begin_notes(sweep_dir: Path) -> Path:
    """The new folder of a sweep.

    Args:
        sweep_dir: its directory, which exists.
    """
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=sweep_dir.absolute()))


def note_job(folder: Path, run_dir: Path, *, refused: bool = False) -> None:
    """Note a job that the sweep works on.

    Args:
        folder: of the sweep; nothing is noted where it has ended.
        run_dir: of the job.
        refused: True if the job left the earlier run there as it was.
    """
    name = os.path.relpath(run_dir, folder.parent)
    digest = hashlib.sha256(os.fsencode(name)).hexdigest()
    with contextlib.suppress(FileNotFoundError):
        write_atomically(folder / f"{digest[:16]}.json", json.dumps({"run_dir": name, "refused": refused}))


def noted_jobs(folder: Path) -> dict[str, bool]:
    """The jobs of a sweep: their run directories, relative to its own, and True for those that were refused.

    Args:
        folder: of the sweep.
    """
    return dict(sorted(filter(None, map(_noted, folder.glob("*.json")))))


def end_notes(folder: Path) -> None:
    """Remove the folder of a sweep.

    Args:
        folder: as `begin_notes` returned it.
    """
    shutil.rmtree(folder, ignore_errors=True)


def _noted(path: Path) -> tuple[str, bool] | None:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return values["run_dir"], values["refused"]
