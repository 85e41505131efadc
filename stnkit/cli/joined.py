"""`stnkit train` in one of the processes that torchrun or srun has started: the first leads, the others follow."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stnkit.cli.resume_hint import resume_hint
from stnkit.errors import StnkitError
from stnkit.experiments.loop.environment import leave_launchers
from stnkit.experiments.loop.joined.follower import Follower
from stnkit.experiments.loop.joined.launched import Launched
from stnkit.experiments.loop.joined.leader import Leader


@contextlib.contextmanager
def left_launchers() -> Iterator[None]:
    """A part of the program in which no library, and no process that it starts, sees the launcher's variables."""
    left = leave_launchers()
    try:
        yield
    finally:
        os.environ.update(left)


@contextlib.contextmanager
def leading(launched: Launched, arguments: list[str]) -> Iterator[Leader]:
    """Lead the other processes; they end with this one, and with its exit code.

    Args:
        launched: the first process.
        arguments: of the command.
    """
    leader = Leader(launched, arguments, _say)
    code = 1
    try:
        yield leader
        code = leader.exit_code
    except (StnkitError, OSError):
        code = 2
        raise
    except SystemExit as end:  # from --help
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except KeyboardInterrupt:
        code = 130
        raise
    finally:
        leader.end(code)


def follow(launched: Launched, arguments: list[str]) -> int:
    """Take part in the run of the first process, and return its exit code.

    Args:
        launched: another process.
        arguments: of the command.
    """
    return Follower(launched, arguments, _say).follow(_train_with)


def _train_with(*arguments: Any) -> None:
    from stnkit.experiments.loop.run import train_with  # imports Lightning

    train_with(*arguments)


def _say(sentence: str, run_dir: Path | None) -> None:
    text = sentence if run_dir is None else f"{sentence}: {resume_hint(run_dir)}"
    print(f"\nstnkit train: {text}", file=sys.stderr, flush=True)
