"""The processes that torchrun or srun has started for one run, as the environment of each describes them.

Free of torch: every `stnkit train` asks.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from stnkit.errors import InputError

# Set to 0, each process is a run of its own.
SWITCH = "STNKIT_JOIN"

_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
# Set by srun for the tasks of a step. A batch script has SLURM_PROCID and SLURM_NTASKS too, but is no step of srun.
_STEP = ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_NODELIST")
# Of mpirun and mpiexec, which start one task for each node by srun, and their own processes from it.
_MPI = ("OMPI_COMM_WORLD_SIZE", "MPI_LOCALNRANKS")
# Ids of steps from this one on are those of batch scripts, interactive shells and the like.
_NO_STEP = 0xFFFFFFF0


@dataclass(frozen=True)
class Launched:
    """This process among those that a launcher has started for one run.

    Args:
        launcher: torchrun or srun.
        rank: of this process, from 0 to world_size − 1.
        world_size: number of processes on all nodes.
        local_rank: of this process on its node.
        local_world_size: number of processes on this node.
        node_rank: of its node.
        nodes: number of nodes.
        address: of the node of process 0.
        port: of the store there, through which the processes find each other.
        hosted: True where the launcher hosts that store, False where process 0 does.
        key: of this start of the processes, apart from others that use the same store.
    """

    launcher: str
    rank: int
    world_size: int
    local_rank: int
    local_world_size: int
    node_rank: int
    nodes: int
    address: str
    port: int
    hosted: bool
    key: str


def find_launched(environment: Mapping[str, str] = os.environ) -> Launched | None:
    """The processes that this one is to join, or None for a run of one process or of processes that stnkit starts.

    torchrun comes first, since it can run inside of a step of srun.

    Args:
        environment: of this process.

    Raises:
        InputError: for a value of STNKIT_JOIN other than 0 and 1.

    Example:
        >>> from stnkit.experiments.loop.joined.launched import find_launched
        >>> step = {"SLURM_JOB_ID": "7", "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_NODES": "2", "SLURM_NODEID": "1"}
        >>> step |= {"SLURM_STEP_NUM_TASKS": "4", "SLURM_STEP_TASKS_PER_NODE": "2(x2)", "SLURM_PROCID": "3"}
        >>> task = find_launched(step | {"SLURM_LOCALID": "1", "SLURM_STEP_NODELIST": "gpu[03-04]"})
        >>> task.rank, task.world_size, task.local_world_size, task.address
        (3, 4, 2, 'gpu03')
    """
    switch = environment.get(SWITCH, "1")
    if switch not in ("0", "1"):
        raise InputError(f"{SWITCH}: expected 0 or 1, got {switch}")
    found = _torchrun(environment) if "TORCHELASTIC_RUN_ID" in environment else _srun(environment)
    return found if switch == "1" and found is not None and found.world_size > 1 else None


def _torchrun(environment: Mapping[str, str]) -> Launched | None:
    if not all(name in environment for name in _TORCHRUN):
        return None
    return Launched(
        launcher="torchrun",
        rank=int(environment["RANK"]),
        world_size=int(environment["WORLD_SIZE"]),
        local_rank=int(environment["LOCAL_RANK"]),
        local_world_size=int(environment["LOCAL_WORLD_SIZE"]),
        node_rank=int(environment["GROUP_RANK"]),
        nodes=int(environment.get("GROUP_WORLD_SIZE", "1")),
        address=environment["MASTER_ADDR"],
        port=int(environment["MASTER_PORT"]),
        hosted=environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True",
        # torchrun starts all processes again when one fails, if it is told to.
        key=f"{environment['TORCHELASTIC_RUN_ID']}.{environment.get('TORCHELASTIC_RESTART_COUNT', '0')}",
    )


def _srun(environment: Mapping[str, str]) -> Launched | None:
    if not all(name in environment for name in _STEP) or any(name in environment for name in _MPI):
        return None
    job, step = environment.get("SLURM_JOB_ID", ""), environment.get("SLURM_STEP_ID", "")
    if not (job.isdecimal() and step.isdecimal()) or int(step) >= _NO_STEP or "SLURM_HET_SIZE" in environment:
        return None
    node = int(environment["SLURM_NODEID"])
    world_size = int(environment["SLURM_STEP_NUM_TASKS"])
    tasks = _tasks_per_node(environment.get("SLURM_STEP_TASKS_PER_NODE", ""))
    nodes = int(environment.get("SLURM_STEP_NUM_NODES", "1"))
    return Launched(
        launcher="srun",
        rank=int(environment["SLURM_PROCID"]),
        world_size=world_size,
        local_rank=int(environment["SLURM_LOCALID"]),
        local_world_size=tasks[node] if node < len(tasks) else -(-world_size // nodes),
        node_rank=node,
        nodes=nodes,
        address=environment.get("MASTER_ADDR") or first_host(environment["SLURM_STEP_NODELIST"]),
        # Below the ports that systems give to clients, and another one for each step of a machine.
        port=int(environment.get("MASTER_PORT") or 15_000 + (31 * int(job) + int(step)) % 15_000),
        hosted=False,
        key=f"{job}.{step}",
    )


def _tasks_per_node(text: str) -> list[int]:
    """The number of tasks of each node, from `2(x3),1`."""
    found = re.findall(r"(\d+)(?:\(x(\d+)\))?", text)
    return [int(tasks) for tasks, times in found for _ in range(int(times or 1))]


def first_host(nodes: str) -> str:
    """The first name of a list of hosts of SLURM.

    Args:
        nodes: such as `gpu[03-04,07],login1`.

    Example:
        >>> from stnkit.experiments.loop.joined.launched import first_host
        >>> first_host("rack[1-2]n[07,09-12]-ib,login1")
        'rack1n07-ib'
    """
    # The comma of a range, within brackets, does not end the first name.
    first = re.split(r",(?![^\[]*\])", nodes)[0]
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", first)
