"""The cluster environment through which Lightning sees the processes of a joined run."""

from typing import Any

import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.strategies import DDPStrategy

from stnkit.experiments.loop.joined.launched import Launched
from stnkit.experiments.schema import TrainingConfig


class JoinedEnvironment(ClusterEnvironment):
    """The ranks that the launcher has given, on any distribution of processes over nodes.

    Lightning's own environments read the variables again, refuse `srun --ntasks`, and requeue a job of SLURM.

    Args:
        launched: this process among the others.
        port: of process 0, for torch's process group.
    """

    def __init__(self, launched: Launched, port: int) -> None:
        super().__init__()
        self.launched = launched
        self.port = port

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return self.launched.address

    @property
    def main_port(self) -> int:
        return self.port

    @staticmethod
    def detect() -> bool:
        return False

    def world_size(self) -> int:
        return self.launched.world_size

    def set_world_size(self, size: int) -> None:
        """Nothing: the launcher has decided."""

    def global_rank(self) -> int:
        return self.launched.rank

    def set_global_rank(self, rank: int) -> None:
        """Nothing: the launcher has decided."""

    def local_rank(self) -> int:
        return self.launched.local_rank

    def node_rank(self) -> int:
        return self.launched.node_rank


def devices_of(training: TrainingConfig, launched: Launched) -> dict[str, Any]:
    """The options of a Trainer for the processes of a launcher.

    Args:
        training: of the run.
        launched: this process among the others.
    """
    name = "ddp" if training.strategy == "auto" else training.strategy
    here = launched.local_world_size
    options = {"devices": here, "num_nodes": launched.nodes, "strategy": name}
    if launched.launcher == "srun" and _sees_one_gpu_of(here, training.accelerator):
        own = [torch.device("cuda", 0)] * here  # the device of a process is the one at its local rank
        find_unused = name == "ddp_find_unused_parameters_true"
        return options | {
            "devices": 1,
            "strategy": DDPStrategy(parallel_devices=own, find_unused_parameters=find_unused),
        }
    return options


def _sees_one_gpu_of(processes: int, accelerator: str) -> bool:
    """True in a task that SLURM has bound to its GPU (`--gpus-per-task=1`): that is its only one, with number 0."""
    return processes > 1 and accelerator in ("auto", "gpu", "cuda") and torch.cuda.device_count() == 1
