"""Lightning sees the ranks that a launcher has given, however it has distributed them."""

import pytest
import torch
from lightning.pytorch.strategies import DDPStrategy

from stnkit.experiments.loop.joined.environment import JoinedEnvironment, devices_of
from stnkit.experiments.loop.joined.launched import find_launched
from stnkit.experiments.loop.trainer import quiet_trainer
from stnkit.experiments.schema import TrainingConfig
from tests.cli.launchers import slurm

CPU = TrainingConfig(accelerator="cpu")
# The second of five tasks, which is the first on the second of three nodes: 1, 2 and 2 tasks, dealt one by one.
CYCLIC = slurm(1, nodes=3) | {
    "SLURM_STEP_NUM_TASKS": "5",
    "SLURM_STEP_TASKS_PER_NODE": "1,2(x2)",
    "SLURM_NODEID": "1",
    "SLURM_LOCALID": "0",
}


def test_a_trainer_has_the_ranks_of_the_launcher():
    launched = find_launched(CYCLIC)
    trainer = quiet_trainer(CPU, JoinedEnvironment(launched, 1234), **devices_of(CPU, launched))
    assert (trainer.global_rank, trainer.world_size) == (1, 5)
    assert (trainer.local_rank, trainer.node_rank) == (0, 1)
    assert not trainer.is_global_zero
    assert isinstance(trainer.strategy, DDPStrategy)
    assert trainer.strategy.cluster_environment.main_port == 1234
    assert trainer.strategy.cluster_environment.main_address == "127.0.0.1"


@pytest.mark.parametrize(("visible", "own"), [(1, True), (2, False), (0, False)])
def test_a_task_with_a_gpu_of_its_own_uses_that(visible, own, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: visible)
    options = devices_of(TrainingConfig(accelerator="gpu"), find_launched(slurm(3)))
    assert options["devices"] == (1 if own else 2)
    if own:
        assert options["strategy"].parallel_devices == 2 * [torch.device("cuda", 0)]


def test_strategies_keep_their_names():
    launched = find_launched(slurm(3))
    assert devices_of(CPU, launched) == {"devices": 2, "num_nodes": 2, "strategy": "ddp"}
    unused = TrainingConfig(accelerator="cpu", strategy="ddp_find_unused_parameters_true")
    assert devices_of(unused, launched)["strategy"] == "ddp_find_unused_parameters_true"
