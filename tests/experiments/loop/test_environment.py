"""A run is a run, whatever launcher or scheduler has left its variables in the environment."""

import json
import os
import shutil
import signal
import stat
from datetime import timedelta

import pytest
import torch
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from stnkit.experiments.loop.environment import leave_launchers, one_process
from stnkit.experiments.loop.process_launcher import run_in_processes
from tests.cli.test_interruptions import SIGNALLING
from tests.helpers import QUICK, metrics

# As in a job of two tasks, without the variables of a step of srun, which would join them.
SLURM = {
    "SLURM_JOB_ID": "123",
    "SLURM_JOB_NAME": "sweep",
    "SLURM_NTASKS": "2",
    "SLURM_NNODES": "1",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "0",
}
TORCHRUN = {
    "RANK": "1",
    "LOCAL_RANK": "1",
    "GROUP_RANK": "0",
    "ROLE_RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "1",
    "TORCHELASTIC_RUN_ID": "none",
    "TORCHELASTIC_USE_AGENT_STORE": "True",
}
LSF = {
    "LSB_JOBID": "1",
    "LSB_DJOB_RANKFILE": "/nowhere",
    "JSM_NAMESPACE_RANK": "1",
    "JSM_NAMESPACE_LOCAL_RANK": "1",
    "JSM_NAMESPACE_SIZE": "2",
}
OTHERS = {"NODE_RANK": "1", "STANDALONE_PORT": "x", "PL_TRAINER_MAX_STEPS": "1", "PL_GLOBAL_SEED": "7"}


@pytest.mark.training
@pytest.mark.parametrize(
    "variables",
    [SLURM, TORCHRUN | {"STNKIT_JOIN": "0"}, LSF, OTHERS],
    ids=["slurm", "torchrun", "lsf", "others"],
)
def test_one_device_is_one_process_under_any_launcher(variables, quick_run, stnkit_main, monkeypatch, tmp_path):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning reads it when it is imported
    code, _, err = stnkit_main("train", *QUICK, "hydra.run.dir=run")
    assert code == 0, err
    assert err == ""
    assert (tmp_path / "run" / "csv" / "metrics.csv").is_file()
    assert metrics("run")["history"] == metrics(quick_run)["history"]
    assert metrics("run")["test_loss"] == metrics(quick_run)["test_loss"]
    assert {name: os.environ[name] for name in variables if name != "PL_GLOBAL_SEED"}.items() <= variables.items()
    assert rank_zero_only.rank == 1


@pytest.mark.training
def test_checkpoints_that_lightning_left_are_not_read(quick_run, stnkit_main, monkeypatch, tmp_path):
    for name, value in (SLURM | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "run").mkdir()
    # Trained by another run.
    shutil.copy(quick_run / "checkpoints" / "last.ckpt", tmp_path / "run" / "hpc_ckpt_1.ckpt")
    code, _, err = stnkit_main("train", *QUICK, "seed=3", "hydra.run.dir=run")
    assert code == 0, err
    assert [row["epoch"] for row in metrics("run")["history"]] == [0, 1]
    for name in SLURM:
        monkeypatch.delenv(name)
    assert stnkit_main("train", *QUICK, "seed=3", "hydra.run.dir=other")[0] == 0
    assert metrics("run")["test_loss"] == metrics("other")["test_loss"]
    assert stnkit_main("train", *QUICK, "seed=3", "hydra.run.dir=run", "overwrite=true")[0] == 0
    assert not (tmp_path / "run" / "hpc_ckpt_1.ckpt").exists()


def test_an_evaluation_reads_no_checkpoint_of_lightning(quick_run, stnkit_main, monkeypatch, tmp_path):
    for name, value in (SLURM | OTHERS | {"SLURM_NTASKS": "1", "PL_TRAINER_LIMIT_TEST_BATCHES": "1"}).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "hpc_ckpt_1.ckpt").write_text("in the working directory")
    code, out, err = stnkit_main("evaluate", quick_run, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["test_loss"] == metrics(quick_run)["test_loss"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGHUP])
def test_the_signals_of_schedulers_and_terminals_save(number, stnkit_process, tmp_path):
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f"#!/bin/sh\ntouch {tmp_path}/requeued\n")
    scontrol.chmod(scontrol.stat().st_mode | stat.S_IXUSR)
    env = os.environ | SLURM | {"SLURM_NTASKS": "1", "PATH": f"{scontrol.parent}:{os.environ['PATH']}"}
    arguments = ["train", *QUICK, "placement=none", "hydra.run.dir=run"]
    process = stnkit_process(7, int(number), *arguments, code=SIGNALLING, env=env)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number, err
    stop = f"interrupted by {number.name} after 1 of 2 epochs"
    assert f"{stop}: `stnkit train resume=run` continues it" in err.replace(f"{tmp_path}/", "")
    assert metrics(tmp_path / "run")["status"] == "interrupted"
    assert torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 7
    assert not (tmp_path / "requeued").exists()
    assert not list((tmp_path / "run").glob("hpc_ckpt*"))


def meet(rank):
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2, timeout=timedelta(seconds=20))
    torch.distributed.destroy_process_group()


@pytest.mark.process
def test_processes_of_a_run_meet_under_torchrun(monkeypatch):
    for name, value in TORCHRUN.items():
        monkeypatch.setenv(name, value)
    run_in_processes(meet, 2)


def test_variables_of_launchers_are_left_and_given_back(monkeypatch):
    monkeypatch.setattr(rank_zero_only, "rank", 3)
    variables = SLURM | TORCHRUN | LSF | OTHERS | {"CUDA_VISIBLE_DEVICES": "1", "RANKING": "x"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with one_process():
        left = set(variables) & set(os.environ)
        assert left == {
            *("SLURM_JOB_ID", "SLURM_JOB_NAME", "LSB_JOBID", "LSB_DJOB_RANKFILE", "PL_GLOBAL_SEED"),
            *("CUDA_VISIBLE_DEVICES", "RANKING"),
        }
        assert rank_zero_only.rank == 0
    assert variables.items() <= dict(os.environ).items()
    assert rank_zero_only.rank == 3
    assert leave_launchers() == {name: variables[name] for name in set(variables) - left}
