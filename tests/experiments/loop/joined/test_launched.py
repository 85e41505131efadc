"""The rule by which a process joins others: it is one of those that torchrun or srun has started for one run."""

import pytest

from stnkit.errors import InputError
from stnkit.experiments.loop.joined.launched import find_launched, first_host
from stnkit.experiments.loop.joined.member import check_training
from stnkit.experiments.schema import TrainingConfig
from tests.cli.launchers import slurm

TORCHRUN = {
    "RANK": "3",
    "LOCAL_RANK": "1",
    "GROUP_RANK": "1",
    "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2",
    "GROUP_WORLD_SIZE": "2",
    "MASTER_ADDR": "node0",
    "MASTER_PORT": "29400",
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_RESTART_COUNT": "1",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
# A batch script: its one process is task 0 of a job of four.
BATCH = {name: value for name, value in slurm(0).items() if "STEP" not in name}


def test_a_process_of_torchrun_joins_the_others():
    found = find_launched(TORCHRUN)
    assert found is not None
    assert (found.launcher, found.rank, found.world_size) == ("torchrun", 3, 4)
    assert (found.local_rank, found.local_world_size, found.node_rank, found.nodes) == (1, 2, 1, 2)
    assert (found.address, found.port, found.hosted, found.key) == ("node0", 29400, True, "none.1")


def test_a_task_of_srun_joins_the_others():
    found = find_launched(slurm(2))
    assert found is not None
    assert (found.launcher, found.rank, found.world_size) == ("srun", 2, 4)
    assert (found.local_rank, found.local_world_size, found.node_rank, found.nodes) == (0, 2, 1, 2)
    assert (found.address, found.hosted, found.key) == ("127.0.0.1", False, "4711.0")


def test_nodes_of_srun_may_have_different_numbers_of_tasks():
    uneven = slurm(4, nodes=3) | {"SLURM_STEP_TASKS_PER_NODE": "2(x2),1", "SLURM_STEP_NUM_TASKS": "5"}
    assert [find_launched(uneven | {"SLURM_NODEID": str(node)}).local_world_size for node in range(3)] == [2, 2, 1]


def test_steps_of_one_machine_have_ports_of_their_own():
    ports = [find_launched(slurm(0, job=job) | {"SLURM_STEP_ID": step}).port for job in "123" for step in "0123"]
    assert len(set(ports)) == len(ports)
    assert all(1024 < port < 32768 for port in ports)
    assert find_launched(slurm(0) | {"MASTER_PORT": "777", "MASTER_ADDR": "other"}).port == 777
    assert find_launched(slurm(0) | {"MASTER_PORT": "777", "MASTER_ADDR": "other"}).address == "other"


@pytest.mark.parametrize(
    "variables",
    [
        {},
        BATCH,
        {"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "node0", "MASTER_PORT": "1"},
        TORCHRUN | {"WORLD_SIZE": "1", "RANK": "0"},
        {name: value for name, value in TORCHRUN.items() if name != "LOCAL_RANK"},
        slurm(0, nodes=1, per_node=1),
        # salloc with a shell on a node, whose allocation has four tasks and whose step has one.
        BATCH | {name: value for name, value in slurm(0, 1, 1).items() if "STEP" in name},
        slurm(0) | {"SLURM_STEP_ID": str(0xFFFFFFFB)},
        slurm(0) | {"SLURM_STEP_ID": "batch"},
        slurm(0) | {"OMPI_COMM_WORLD_SIZE": "8"},
        slurm(0) | {"SLURM_HET_SIZE": "2"},
        slurm(1) | TORCHRUN | {"WORLD_SIZE": "1", "RANK": "0"},
        slurm(1) | {"STNKIT_JOIN": "0"},
        TORCHRUN | {"STNKIT_JOIN": "0"},
    ],
    ids=[
        "nothing",
        "batch",
        "other",
        "torchrun-of-one",
        "incomplete",
        "srun-of-one",
        "salloc",
        "batch-step",
        "batch-name",
        "mpirun",
        "heterogeneous",
        "torchrun-of-one-in-srun",
        "srun-switched-off",
        "torchrun-switched-off",
    ],
)
def test_any_other_process_is_a_run_of_its_own(variables):
    assert find_launched(variables) is None


def test_torchrun_inside_of_srun_comes_first():
    assert find_launched(slurm(1) | TORCHRUN).launcher == "torchrun"


def test_another_value_of_the_switch_is_refused():
    with pytest.raises(InputError, match=r"^STNKIT_JOIN: expected 0 or 1, got no$"):
        find_launched({"STNKIT_JOIN": "no"})


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node7", "node7"),
        ("a,b", "a"),
        ("gpu[03-04,07],login1", "gpu03"),
        ("gpu[12],gpu13", "gpu12"),
        ("n[1,3]", "n1"),
        ("r[1-2]n[5-6]", "r1n5"),
    ],
)
def test_the_first_host_of_a_list_of_slurm(nodes, first):
    assert first_host(nodes) == first


@pytest.mark.parametrize("devices", [1, 2])
def test_devices_are_those_of_the_launcher(devices):
    check_training(TrainingConfig(devices=devices), find_launched(TORCHRUN))


def test_other_devices_and_small_batches_are_refused():
    with pytest.raises(
        InputError, match=r"^training.devices: expected 2, the number of processes that torchrun has st"
    ):
        check_training(TrainingConfig(devices=4), find_launched(TORCHRUN))
    with pytest.raises(InputError, match="at least 2 images for each of the 4 processes, got 7"):
        check_training(TrainingConfig(batch_size=7), find_launched(TORCHRUN))
