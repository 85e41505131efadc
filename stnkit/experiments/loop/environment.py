"""The environment of a run without the variables by which Lightning and torch recognize a scheduler or a launcher.

stnkit starts the processes of a run and saves its checkpoints. A run that believes to be one of several, because a
variable was inherited, loses its files or waits for the others forever.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from typing import Any

# Of torchrun, SLURM (with which Lightning would requeue the job by itself, and start from its hpc_ckpt files) and LSF,
# and Lightning's defaults for the arguments of a Trainer, which would not be in the config of the run.
_LAUNCHERS = re.compile(
    r"(LOCAL_|GROUP_|NODE_|ROLE_)?RANK|(LOCAL_|GROUP_|ROLE_)?WORLD_SIZE|MASTER_ADDR|MASTER_PORT|STANDALONE_PORT|"
    r"TORCHELASTIC_\w+|SLURM_(NTASKS\w*|NNODES|PROCID|LOCALID|NODEID)|JSM_NAMESPACE_\w+|PL_TRAINER_\w+"
)


def leave_launchers() -> dict[str, str]:
    """Remove the variables of schedulers and launchers from this process's environment, and return them."""
    return {name: os.environ.pop(name) for name in list(os.environ) if _LAUNCHERS.fullmatch(name)}


@contextlib.contextmanager
def one_process() -> Iterator[None]:
    """A part of the program that is a run of one process, whatever launcher started that process."""
    from lightning.fabric.utilities import rank_zero

    rank_zero_only: Any = rank_zero.rank_zero_only
    left = leave_launchers()
    rank = rank_zero_only.rank  # read from the environment when Lightning was imported
    rank_zero_only.rank = 0
    try:
        yield
    finally:
        rank_zero_only.rank = rank
        os.environ.update(left)
