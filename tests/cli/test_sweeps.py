"""Sweeps that lose nothing: failures, kills and other orders leave what is finished alone."""

import hashlib
import shutil
import signal
from pathlib import Path

import pytest
import torch
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from stnkit.cli.main import main
from stnkit.experiments.loop import run
from stnkit.experiments.run_directory import directories
from stnkit.experiments.run_directory.job_identity import identity_of
from stnkit.experiments.run_directory.job_list import jobs_not_begun
from stnkit.experiments.run_directory.lock import BusyError, run_lock
from stnkit.experiments.run_directory.run_control import RUN_CONTROL
from tests.cli.test_interruptions import SIGNALLING
from tests.helpers import QUICK, metrics

SWEEP = ["train", "-m", *QUICK, "training.epochs=1", "hydra.sweep.dir=sweep"]


@pytest.fixture(scope="module")
def completed_sweep(tmp_path_factory):
    """A completed sweep over two seeds."""
    folder = tmp_path_factory.mktemp("completed") / "sweep"
    GlobalHydra.instance().clear()
    assert main([*SWEEP[:-1], f"hydra.sweep.dir={folder}", "seed=0,1", "placement=none"]) == 0
    return folder


@pytest.fixture
def copy_of_sweep(completed_sweep, tmp_path):
    return shutil.copytree(completed_sweep, tmp_path / "sweep")


def jobs_of(sweep):
    """Of every run directory: seed, status and what is in its files."""
    return {
        path.parent.name: (
            metrics(path.parent)["config"]["seed"],
            metrics(path.parent)["status"],
            {
                file.relative_to(path.parent): (hashlib.md5(file.read_bytes()).hexdigest(), file.stat().st_mtime_ns)
                for file in path.parent.rglob("*")
                if file.is_file()
            },
        )
        for path in sweep.glob("*/metrics.json")
    }


@pytest.mark.training
def test_every_job_says_its_number_what_varies_and_its_error(stnkit_main):
    code, out, _ = stnkit_main(*SWEEP, "seed=0,1", "placement=none")
    assert code == 0
    assert "sweep       2 jobs in sweep" in out
    first = out.index("job 1 of 2: seed=0\n")
    second = out.index("job 2 of 2: seed=1\n")
    assert first < out.index(f"test error  {metrics('sweep/0')['test_error']:.2f} %") < second
    assert f"test error  {metrics('sweep/1')['test_error']:.2f} %" in out[second:]
    assert len(list(Path("sweep/.jobs").iterdir())) == 2
    assert jobs_not_begun(Path("sweep")) == []


@pytest.mark.parametrize("error", [ZeroDivisionError("by nought"), RuntimeError(), SystemExit(0)])
@pytest.mark.training
def test_an_unexpected_error_ends_its_job_and_not_the_sweep(error, stnkit_main, monkeypatch, tmp_path):
    build_new_run = run.build_new_run

    def breaking(config, *args):
        if config["seed"] == 0:
            raise error
        return build_new_run(config, *args)

    monkeypatch.setattr(run, "build_new_run", breaking)
    code, _, err = stnkit_main(*SWEEP, "seed=0,1", "placement=none")
    assert code == 1
    assert metrics("sweep/1")["status"] == "completed"
    told = metrics("sweep/0")
    assert told["status"] == "failed"
    assert told["error"] == f"{type(error).__name__}: {error}"
    assert "Traceback" not in err
    first, last = err.splitlines()
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    assert f"sweep/0: {said} (traceback in " in first
    assert "1 of the jobs failed: sweep/0" in last
    assert "in breaking" in (tmp_path / "sweep" / "0" / "traceback.txt").read_text()


def test_a_component_that_exits_ends_a_run_as_a_failure(stnkit_main, monkeypatch):
    def leave(*args):
        raise SystemExit(0)

    monkeypatch.setattr(run, "build_new_run", leave)
    code, _, err = stnkit_main("train", *QUICK, "hydra.run.dir=run")
    assert code == 1
    (line,) = err.splitlines()
    assert "run: SystemExit: 0 (traceback in " in line
    assert metrics("run")["status"] == "failed"


@pytest.mark.training
def test_a_failed_job_runs_again_in_a_continued_sweep(stnkit_main, monkeypatch, tmp_path):
    build_new_run = run.build_new_run
    monkeypatch.setattr(run, "build_new_run", lambda *args: 1 / 0)
    assert stnkit_main(*SWEEP, "seed=0,1", "placement=none")[0] == 1
    monkeypatch.setattr(run, "build_new_run", build_new_run)
    assert stnkit_main(*SWEEP, "seed=1,0", "placement=none", "skip_completed=true")[0] == 0
    assert {name: job[:2] for name, job in jobs_of(tmp_path / "sweep").items()} == {
        "0": (0, "completed"),
        "1": (1, "completed"),
    }
    assert "error" not in metrics("sweep/0")


@pytest.mark.training
def test_a_continued_sweep_overwrites_no_finished_job(copy_of_sweep, stnkit_main, tmp_path):
    before = jobs_of(copy_of_sweep)
    # Another order, another job in front, and other ways to carry it out.
    code, out, _ = stnkit_main(
        *SWEEP, "seed=2,1,0", "placement=none", "training.checkpoint_every=7", "skip_completed=true"
    )
    assert code == 0
    after = jobs_of(tmp_path / "sweep")
    assert {name: after[name] for name in before} == before
    (new,) = after.keys() - before.keys()
    assert after[new][:2] == (2, "completed")
    assert out.count("(already completed)") == 2


@pytest.mark.training
def test_a_job_that_has_run_is_refused_and_overwritten_on_demand(copy_of_sweep, stnkit_main, tmp_path):
    before = jobs_of(copy_of_sweep)
    (tmp_path / "sweep" / "1" / "csv-resumed-1").mkdir()
    code, _, err = stnkit_main(*SWEEP, "seed=1", "placement=none")
    assert code == 2
    assert "sweep/1 holds a run that is completed: skip_completed=true keeps what is completed" in err
    assert (
        "1 of the jobs did not run, and the earlier runs in their directories stay as they were: sweep/1; "
        "the same command with " in err
    )
    told = jobs_of(tmp_path / "sweep")
    for written in (".refused", ".lock", "train.log"):
        for _, _, files in (told["1"], before["1"]):
            files.pop(Path(written), None)
    assert told == before
    assert stnkit_main(*SWEEP, "seed=1", "placement=none", "overwrite=true")[0] == 0
    assert not (tmp_path / "sweep" / "1" / "csv-resumed-1").exists()
    after = jobs_of(tmp_path / "sweep")
    assert after["0"] == before["0"]
    assert after.keys() == before.keys()
    assert after["1"][2] != before["1"][2]


@pytest.mark.training
def test_one_run_is_skipped_too_when_it_is_completed(stnkit_main):
    arguments = ["train", *QUICK, "placement=none", "hydra.run.dir=run", "skip_completed=true"]
    assert stnkit_main(*arguments)[0] == 0
    before = metrics("run")
    code, out, _ = stnkit_main(*arguments)
    assert code == 0
    assert "(already completed)" in out
    assert metrics("run") == before
    # Another config in the same directory is another run.
    code, _, err = stnkit_main(*arguments, "seed=3")
    assert code == 2
    assert "run holds a run that is completed: " in err
    assert metrics("run") == before
    assert stnkit_main(*arguments, "seed=3", "overwrite=true")[0] == 0
    assert metrics("run")["seed"] == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "exit_code", "status"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGKILL, -9, "running")]
)
def test_a_stopped_sweep_is_continued_by_the_same_command(
    number, exit_code, status, stnkit_process, stnkit_main, tmp_path
):
    sweep = [*SWEEP, "training.epochs=2", "training.checkpoint_every=3", "placement=none"]
    assert stnkit_main(*sweep, "seed=5")[0] == 0  # is finished
    finished = jobs_of(tmp_path / "sweep")
    # The first job, of seed 6, is stopped at its seventh step, the second never begins.
    process = stnkit_process(7, int(number), *sweep, "seed=6,7", code=SIGNALLING)
    _, err = process.communicate(timeout=300)
    assert process.returncode == exit_code, err
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert "hydra.sweep.dir=sweep skip_completed=true runs the unfinished jobs" in err
    stopped = {name: job for name, job in jobs_of(tmp_path / "sweep").items() if name not in finished}
    assert [job[:2] for job in stopped.values()] == [(6, status)]
    (name,) = stopped
    assert [job.overrides for job in jobs_not_begun(tmp_path / "sweep")] == [("seed=7",)]
    assert "1 not begun" in stnkit_main("report", "sweep")[1]

    code, _, err = stnkit_main(*sweep, "seed=7,6,5", "skip_completed=true")
    assert code == 0, err
    after = jobs_of(tmp_path / "sweep")
    assert {name: after[name] for name in finished} == finished
    assert sorted(job[:2] for job in after.values()) == [(seed, "completed") for seed in (5, 6, 7)]
    assert jobs_not_begun(tmp_path / "sweep") == []
    assert after[name][0] == 6
    # It went on from its checkpoint, to the same end as without an interruption.
    assert (tmp_path / "sweep" / name / "csv-resumed-1").is_dir()
    assert stnkit_main("train", *sweep[2:], "seed=6", "hydra.run.dir=whole")[0] == 0
    assert metrics("whole")["history"] == metrics(tmp_path / "sweep" / name)["history"]
    assert metrics("whole")["test_loss"] == metrics(tmp_path / "sweep" / name)["test_loss"]


@pytest.mark.slow
def test_two_sweeps_of_one_second_have_two_directories(stnkit_process, tmp_path):
    arguments = ["train", "-m", *QUICK, "training.epochs=1", "seed=0,1", "placement=none"]
    processes = [stnkit_process(*arguments) for _ in range(2)]
    for process in processes:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    sweeps = list((tmp_path / "multirun").iterdir())
    assert len(sweeps) == 2
    for sweep in sweeps:
        assert sorted(job[:2] for job in jobs_of(sweep).values()) == [(0, "completed"), (1, "completed")]


def test_directories_of_one_second_differ():
    names = [directories._stamped("multirun") for _ in range(1000)]
    assert len(set(names)) == 1000


def test_a_job_is_its_config_without_what_controls_the_run():
    config = {"seed": 1, "training": {"epochs": 3, "learning_rate": 1e-05}, "transform": {"name": "tps", "x": None}}
    for key in RUN_CONTROL:
        controlled = OmegaConf.create(config)
        OmegaConf.update(controlled, key, "anything", force_add=True)
        assert identity_of(OmegaConf.to_container(controlled)) == identity_of(config)
    written = OmegaConf.to_yaml(OmegaConf.create(config))
    assert identity_of(OmegaConf.to_container(OmegaConf.create(written))) == identity_of(config)
    others = [{"seed": 2}, {"training": {"epochs": 4, "learning_rate": 1e-05}}, {"transform": {"name": "tps", "x": 0}}]
    assert len({identity_of(config), *(identity_of(config | other) for other in others)}) == 4


def test_a_directory_in_use_is_refused_and_left_unchanged(copy_of_quick_run, stnkit_main, tmp_path):
    before = metrics("run")
    with run_lock(tmp_path / "run"):
        for arguments in (["resume=run"], ["seed=1", "hydra.run.dir=run"]):
            code, _, err = stnkit_main("train", *QUICK, "placement=none", *arguments)
            assert code == 2
            assert "another process is running in" in err
        with pytest.raises(BusyError), run_lock(tmp_path / "run"):
            pass
    assert metrics("run") == before
    with run_lock(tmp_path / "run"):
        pass


def test_resume_is_not_for_sweeps(copy_of_quick_run, stnkit_main, tmp_path):
    code, _, err = stnkit_main("train", "-m", "resume=run", "seed=0,1")
    assert code == 2
    assert "continue a sweep with hydra.sweep.dir=SWEEP_DIR skip_completed=true" in err


@pytest.mark.training
def test_a_damaged_record_or_checkpoint_is_done_again(copy_of_sweep, stnkit_main, tmp_path):
    (tmp_path / "sweep" / "0" / "metrics.json").write_text('{"status": "comp')
    told = (tmp_path / "sweep" / "1" / "metrics.json").read_text()
    (tmp_path / "sweep" / "1" / "metrics.json").write_text(told.replace('"completed"', '"running"'))
    (tmp_path / "sweep" / "1" / "checkpoints" / "last.ckpt").write_bytes(b"cut short")
    assert stnkit_main(*SWEEP, "seed=0,1", "placement=none", "skip_completed=true")[0] == 0
    assert {name: job[:2] for name, job in jobs_of(tmp_path / "sweep").items()} == {
        "0": (0, "completed"),
        "1": (1, "completed"),
    }
    torch.load(tmp_path / "sweep" / "1" / "checkpoints" / "last.ckpt", weights_only=True)


@pytest.mark.training
def test_equal_jobs_of_a_sweep_run_once(stnkit_main, tmp_path):
    code, out, err = stnkit_main(*SWEEP, "seed=3,3", "placement=none", "training.epochs=1")
    assert code == 0, err
    assert out.count("(already completed)") == 1
    assert len(jobs_of(tmp_path / "sweep")) == 1
