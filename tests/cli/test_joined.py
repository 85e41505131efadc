"""One run in the processes that torchrun or srun has started, as on two machines of two processes."""

import os
import shutil
import signal
import time

import pytest

from tests.cli.launchers import srun, torchrun, wait_for_epoch
from tests.cli.test_ddp import RUN, assert_same_run
from tests.cli.test_packing_runs import COMMAND, SLOW
from tests.helpers import metrics, trained
from tests.packing.pictures import write_splits

CPU = "training.accelerator=cpu"
CONSTANT = "training.schedule=constant"
FOREVER = [CONSTANT, "training.epochs=500", "hydra.run.dir=run"]
drill = pytest.mark.skipif("STNKIT_DRILLS" not in os.environ, reason="minutes: set STNKIT_DRILLS=1")
pytestmark = [pytest.mark.process]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The directory of the same run in one process."""
    return trained(tmp_path_factory.mktemp("one"), *RUN, CPU)


@pytest.fixture
def launched(tmp_path, process_server):
    """Starts processes by a launcher in the test's folder; those that are left are killed."""
    started = []

    def start(launcher, *arguments, **counts):
        counts |= {"server": process_server} if launcher is srun else {}
        started.append(launcher(tmp_path, *arguments, **counts))
        return started[-1]

    yield start
    for processes in started:
        processes.kill()


@pytest.mark.slow
@pytest.mark.training
def test_two_nodes_of_torchrun_end_where_one_process_does(one, launched, tmp_path):
    processes = launched(torchrun, *RUN, CPU, "training.devices=2")
    assert processes.wait() == [0, 0], processes.said()
    (run_dir,) = (tmp_path / "runs").iterdir()  # with the time and letters at random in its name
    assert_same_run(one, run_dir)
    assert [line.split()[:2] for line in processes.said("stdout")] == [["test", "error"]]
    assert processes.said() == []
    # One process writes, and nothing twice.
    assert sorted(path.name for path in run_dir.iterdir()) == sorted(path.name for path in one.iterdir())


@pytest.mark.slow
@pytest.mark.training
def test_a_killed_task_of_srun_ends_all_and_one_process_goes_on(launched, stnkit_main, tmp_path):
    processes = launched(srun, *RUN, *FOREVER, CPU)
    wait_for_epoch(tmp_path / "run", 1)
    os.kill(processes.ranks()[3], signal.SIGKILL)
    assert processes.wait(60) == [1, 1, 1, -signal.SIGKILL]
    (sentence,) = processes.said()
    assert sentence.startswith("stnkit train: process 3 of the 4 of this run was killed, or its machine ")
    assert "resume=" in sentence
    assert metrics(tmp_path / "run")["status"] == "interrupted"
    epochs = metrics(tmp_path / "run")["epoch"] + 1
    # As if it had been asked for that many epochs from the start.
    config = tmp_path / "run" / "config.yaml"
    config.write_text(config.read_text().replace("epochs: 500", f"epochs: {epochs}"))
    for arguments in (["resume=run"], [*RUN, CPU, CONSTANT, f"training.epochs={epochs}", "hydra.run.dir=whole"]):
        code, _, err = stnkit_main("train", *arguments)
        assert code == 0, err
    assert_same_run(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["training.devices=3"], "training.devices: expected 2, the number of processes that srun has started"),
        (["-m"], "expected one run for the processes that srun has started, got a sweep"),
    ],
    ids=["devices", "sweep"],
)
def test_a_mistake_is_one_sentence_and_ends_all_processes(arguments, message, launched):
    processes = launched(srun, *arguments, *RUN, CPU, nodes=1)
    assert processes.wait() == [2, 2]
    (sentence,) = processes.said()
    assert message in sentence
    assert "Traceback" not in processes.output("stderr", 0) + processes.output("stderr", 1)
    assert processes.output("stderr", 1) == processes.output("stdout", 1) == ""


@pytest.mark.slow
def test_a_dry_run_of_torchrun_is_that_of_one_process(launched, tmp_path):
    processes = launched(torchrun, *RUN, CPU, "dry_run=true", nodes=1)
    assert processes.wait() == [0], processes.output("stderr", 0)
    assert processes.output("stdout", 0).count("dataset     digits") == 1
    assert processes.output("stdout", 0).endswith("Nothing was written.\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stderr-0.txt", "stdout-0.txt"]


@drill
@pytest.mark.slow
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("transform=nope", "stnkit train: there is no transform 'nope'; the transforms are: "),
        ("training.epochs=x", "stnkit train: training.epochs=x: "),
        ("training.batch_size=3", "stnkit train: training.batch_size: expected at least 2 images for each of the 2 "),
        ("dataset=folder", "stnkit train: dataset 'folder': dataset.root=data/images: that folder does not exist"),
    ],
)
def test_a_mistake_ends_torchrun_too(argument, message, launched):
    processes = launched(torchrun, *RUN, CPU, argument, nodes=1)
    assert processes.wait(60) == [1]
    (sentence,) = processes.said()
    assert sentence.startswith(message)
    assert processes.output("stdout", 0) == ""


@drill
@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 3])
def test_a_process_that_is_killed_ends_the_packing_of_others(rank, launched, tmp_path):
    write_splits(tmp_path / "images", 40, height=8, width=8)
    for_a_minute = SLOW.replace("sleep(0.05)", "sleep(1.0)")
    processes = launched(srun, *COMMAND[1:], CPU, "hydra.run.dir=run", code=for_a_minute)
    deadline = time.monotonic() + 60
    while not (unfinished := list((tmp_path / "cache").glob("*.unfinished-*/images.bin"))):
        assert time.monotonic() < deadline, processes.said()
        time.sleep(0.05)
    os.kill(processes.ranks()[rank], signal.SIGKILL)
    assert processes.wait(20) == [-signal.SIGKILL if i == rank else 1 for i in range(4)]
    said = processes.said()
    assert len(said) == 1 + (rank == 0)
    assert all(line.startswith(f"stnkit train: process {rank} of the 4 of this run was killed") for line in said)
    assert metrics(tmp_path / "run")["status"] == "interrupted"
    # A process that is killed itself leaves its own remains to the next packing.
    left = list((tmp_path / "cache").glob("*.unfinished-*/images.bin"))
    assert left in ([], unfinished) if rank == 0 else left == []


@drill
@pytest.mark.slow
@pytest.mark.training
@pytest.mark.parametrize("launcher", [torchrun, srun])
@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_any_process_that_is_killed_ends_all(rank, launcher, launched, tmp_path):
    processes = launched(launcher, *RUN, *FOREVER, CPU)
    wait_for_epoch(tmp_path / "run", 2)
    os.kill(processes.ranks()[rank], signal.SIGKILL)
    assert 0 not in processes.wait(60)
    said = processes.said()
    assert len(said) == 1 + (rank == 0)  # once on each node, where the first process is gone
    assert all(line.startswith(f"stnkit train: process {rank} of the 4 of this run was killed") for line in said)
    assert metrics(tmp_path / "run")["status"] == "interrupted"


@drill
@pytest.mark.slow
@pytest.mark.training
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
@pytest.mark.parametrize("ranks", [[2], [0, 1, 2, 3]], ids=["one", "all"])
def test_a_signal_saves_and_ends_all_processes(ranks, number, launched, tmp_path):
    processes = launched(srun, *RUN, *FOREVER, CPU)
    wait_for_epoch(tmp_path / "run", 2)
    found = processes.ranks()
    for rank in ranks:
        os.kill(found[rank], number)
    assert processes.wait(60) == 4 * [128 + number]
    (sentence,) = processes.said()
    assert sentence.startswith(f"interrupted by {number.name} after ")
    assert metrics(tmp_path / "run")["status"] == "interrupted"


@drill
@pytest.mark.slow
@pytest.mark.training
def test_four_processes_go_on_where_one_has_stopped(launched, stnkit_process, tmp_path):
    process = stnkit_process(
        "train", *RUN, CPU, "training.epochs=40", "training.precision=64-true", "hydra.run.dir=run"
    )
    wait_for_epoch(tmp_path / "run", 1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 128 + signal.SIGTERM
    shutil.copytree(tmp_path / "run", tmp_path / "copy")
    processes = launched(torchrun, "resume=run")
    assert processes.wait() == [0, 0], processes.said()
    assert stnkit_process("train", "resume=copy").wait(120) == 0
    assert_same_run(tmp_path / "copy", tmp_path / "run")
