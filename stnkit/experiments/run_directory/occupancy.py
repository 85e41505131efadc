"""The results of an earlier run in a run directory: refused, or deleted on demand."""

import contextlib
import re
import shutil
from pathlib import Path

from stnkit.errors import StnkitError
from stnkit.experiments.run_directory.job_identity import is_config_of_a_run
from stnkit.experiments.run_directory.record import CONFIG, FILE, LOG_FILE, read_record
from stnkit.experiments.run_directory.state import State, state_of

# The states of a run that has results to lose.
_RESULTS = {
    State.completed: "that is completed",
    State.interrupted: "that was interrupted",
    State.died: "that died",
}
_CHECKPOINTS = tuple(f"checkpoints/{name}" for name in ("last.ckpt", ".last.ckpt.part", "best.ckpt", ".best.ckpt.part"))
# What a run writes besides, whatever else lies there; Lightning wrote hpc_ckpt files for runs of 0.1.0 under SLURM.
_WRITTEN = re.compile(
    r"(csv|tensorboard)(-resumed-\d+)?|wandb|mlflow\.db|\.hydra-resumed|transformer\.png|traceback\.txt|\.refused|"
    r"hpc_ckpt_\d+\.ckpt"
)


class OccupiedError(StnkitError):
    """A run directory holds what a run would overwrite."""


def results_in(run_dir: Path) -> str | None:
    """Words for the results that a new run in a directory would destroy, or None. A failed run has none.

    Args:
        run_dir: perhaps of an earlier run; nothing else is running in it.
    """
    try:
        record = read_record(run_dir)
    except ValueError:
        return f"a damaged {FILE}"
    if record is not None:
        try:
            state = state_of(run_dir, own=True)
        except ValueError:
            return f"a {FILE} that is not of a run"
        return f"a run {_RESULTS[state]}" if state in _RESULTS else None
    if any((run_dir / name).exists() for name in _CHECKPOINTS):
        return f"a checkpoint without its {FILE}"
    if (run_dir / CONFIG).exists() and not is_config_of_a_run(run_dir / CONFIG):
        return f"a {CONFIG} that is not of a run"
    return None


def check_free(run_dir: Path) -> None:
    """Raise an OccupiedError if a new run would destroy results in a directory.

    Args:
        run_dir: of the run that begins.

    Raises:
        OccupiedError: names them, and the options for them.
    """
    if results := results_in(run_dir):
        raise OccupiedError(
            f"{run_dir} holds {results}: skip_completed=true keeps what is completed and continues the rest, "
            f"overwrite=true deletes it"
        )


def is_left(run_dir: Path) -> bool:
    """True where an earlier run has left a record or a checkpoint.

    Args:
        run_dir: of the run that begins.
    """
    return any((run_dir / name).exists() for name in (FILE, *_CHECKPOINTS))


def delete_run(run_dir: Path) -> None:
    """Delete the files that an earlier run has written into its directory, and nothing else; the record last.

    Args:
        run_dir: of the run that begins.
    """
    for name in _CHECKPOINTS:
        (run_dir / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # a link, or holds something else
        (run_dir / "checkpoints").rmdir()
    for path in [path for path in run_dir.iterdir() if _WRITTEN.fullmatch(path.name)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if (run_dir / LOG_FILE).exists():
        (run_dir / LOG_FILE).write_text("")  # not unlinked: Hydra has opened it for the run that begins
    for name in (FILE, CONFIG):
        (run_dir / name).unlink(missing_ok=True)
