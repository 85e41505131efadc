"""Several processes of `stnkit train`, started as torchrun's agents and as SLURM's srun start them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.helpers import CLI

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--rdzv-backend=c10d", "--local-addr=127.0.0.1"]


class Processes:
    """The processes of a launcher, in a folder, with the outputs of each process or agent in a file of its own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.started = []
        self.tasks = {}

    def start_task(self, server, rank, *arguments, code, env):
        """A task of srun: a warm process, which reads its rank as a new one does."""
        self.tasks[rank] = server.start(*arguments, code=code, cwd=self.folder, env=env, outputs=self._outputs())
        self.started.append(self.tasks[rank])

    def start(self, command, env):
        outputs = [path.open("w") for path in self._outputs()]
        process = subprocess.Popen(
            [*map(str, command)], cwd=self.folder, env=env, stdout=outputs[0], stderr=outputs[1], start_new_session=True
        )
        for output in outputs:
            output.close()
        self.started.append(process)

    def wait(self, timeout=120):
        """The exit codes."""
        try:
            return [process.wait(timeout) for process in self.started]
        finally:
            self.kill()

    def kill(self):
        for pid in {*self.ranks().values(), *(process.pid for process in self.started if process.poll() is None)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def said(self, name="stderr"):
        """The lines of stnkit's own in the outputs of all."""
        lines = [line for i in range(len(self.started)) for line in self.output(name, i).splitlines()]
        return [line for line in lines if line.startswith(("stnkit train:", "test error", "interrupted by", "warning"))]

    def output(self, name, number):
        return (self.folder / f"{name}-{number}.txt").read_text()

    def _outputs(self):
        return [self.folder / f"{name}-{len(self.started)}.txt" for name in ("stdout", "stderr")]

    def ranks(self):
        """The process id of each rank that is there."""
        if self.tasks:
            return {rank: task.pid for rank, task in self.tasks.items() if task.poll() is None}
        own, found = {process.pid for process in self.started}, {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            except (OSError, IndexError):
                continue
            variables = dict(word.split("=", 1) for word in words if "=" in word)
            if "RANK" in variables and parent in own:
                found[int(variables["RANK"])] = int(folder.name)
        return found


def torchrun(folder, *arguments, nodes=2, per_node=2):
    """One agent for each node, all on this machine."""
    processes, port = Processes(folder), free_port()
    options = [f"--nnodes={nodes}", f"--nproc-per-node={per_node}", f"--rdzv-endpoint=127.0.0.1:{port}"]
    for _ in range(nodes):
        processes.start([*TORCHRUN, *options, "-m", "stnkit", "train", *arguments], environment())
    return processes


def srun(folder, *arguments, server, nodes=2, per_node=2, code=CLI):
    """The tasks of a step of a SLURM job, with the variables that srun sets for each; `code` replaces the program.

    The batch script has the variables of the job, and srun adds those of the step and of the task.
    """
    processes, job = Processes(folder), str(int.from_bytes(os.urandom(4), "big"))
    for rank in range(nodes * per_node):
        variables = slurm(rank, nodes, per_node, job)
        processes.start_task(server, rank, "train", *arguments, code=code, env=environment() | variables)
    return processes


def slurm(rank, nodes=2, per_node=2, job="4711"):
    """The variables of one task; every node is this machine."""
    tasks = f"{per_node}(x{nodes})" if nodes > 1 else str(per_node)
    shared = {"NNODES": nodes, "NODELIST": "127.0.0.1", "NTASKS": nodes * per_node, "NTASKS_PER_NODE": per_node}
    variables = {f"SLURM_{name}": value for name, value in shared.items()}
    variables |= {"SLURM_JOB_ID": job, "SLURM_JOB_NAME": "train", "SLURM_JOB_NUM_NODES": nodes}
    variables |= {"SLURM_STEP_ID": 0, "SLURM_STEP_NUM_TASKS": nodes * per_node, "SLURM_STEP_NUM_NODES": nodes}
    variables |= {"SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_STEP_TASKS_PER_NODE": tasks}
    variables |= {"SLURM_PROCID": rank, "SLURM_NODEID": rank // per_node, "SLURM_LOCALID": rank % per_node}
    return {name: str(value) for name, value in variables.items()}


def environment():
    """This one, as a shell of the user's would have it."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")} | {
        "OMP_NUM_THREADS": "1"
    }


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def wait_for_epoch(run_dir, epoch, timeout=120):
    """Wait until the record of a run has so many epochs."""
    deadline, path = time.monotonic() + timeout, Path(run_dir) / "metrics.json"
    while time.monotonic() < deadline:
        if path.is_file() and json.loads(path.read_text()).get("epoch", 0) >= epoch:
            return
        time.sleep(0.02)
    raise TimeoutError(f"{path} has not reached epoch {epoch}")
