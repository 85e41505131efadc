"""The end of a sweep before all of its jobs have run: a signal, or the first job that fails."""

import os
import re
import signal

import pytest

from stnkit.cli import train
from stnkit.cli.sweep_end import Sweep
from stnkit.experiments.loop import run
from stnkit.experiments.run_directory.job_list import jobs_not_begun
from stnkit.experiments.run_directory.own_jobs import begin_notes, note_job
from stnkit.experiments.run_directory.record import RunRecord
from tests.helpers import QUICK, metrics

SWEEP = ["train", "-m", *QUICK, "training.epochs=1", "hydra.sweep.dir=sweep"]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
JOBLIB = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=1")


def answers():
    """The answer of this process to each signal."""
    return [signal.getsignal(number) for number in SIGNALS], signal.pthread_sigmask(signal.SIG_BLOCK, [])


def statuses(sweep):
    return {path.parent.name: metrics(path.parent)["status"] for path in sweep.glob("*/metrics.json")}


@pytest.mark.training
@pytest.mark.parametrize("launcher", [(), JOBLIB], ids=["basic", "joblib, one worker"])
def test_the_first_failure_ends_a_sweep_that_fails_fast(launcher, stnkit_main, tmp_path):
    before = answers()
    sweep = [*SWEEP, *launcher, "localizer.hidden=[8],[0]", "seed=0,1,2"]
    code, out, err = stnkit_main(*sweep, "fail_fast=true")
    assert code == 2
    assert statuses(tmp_path / "sweep") == {"0": "completed", "1": "completed", "2": "completed", "3": "failed"}
    assert err.splitlines()[-1] == (
        "stnkit train: the sweep ended early: fail_fast=true, and a job failed: sweep/3; 2 of the jobs did not run; "
        "the same command with hydra.sweep.dir=sweep skip_completed=true runs the unfinished jobs"
    )
    assert "job 5 of 6" not in out
    assert answers() == before


USERS = {"status": "failed", "error": "OfPlugin: no", "is_users_error": True}
BUG = {"status": "failed", "error": "InputError: of another library", "is_users_error": False}
EARLIER = {"status": "failed", "error": "InputError: no"}
EARLIER_BUG = {"status": "failed", "error": "KeyError: no"}


@pytest.mark.parametrize(
    ("records", "code"),
    [([USERS], 2), ([USERS, EARLIER], 2), ([USERS, BUG], 1), ([EARLIER_BUG], 1), ([], 0)],
)
def test_the_exit_code_is_2_if_all_errors_are_the_users(records, code, tmp_path, capsys):
    notes = begin_notes(tmp_path)
    for index, record in enumerate(records):
        RunRecord(tmp_path / str(index)).update(**record)
        note_job(notes, tmp_path / str(index))
    assert Sweep(tmp_path, notes, started_ns=0).print_end() == code
    assert ("jobs failed" in capsys.readouterr().err) == bool(records)


@pytest.mark.slow
def test_failing_fast_on_an_unexpected_error_exits_with_1(stnkit_main, monkeypatch):
    monkeypatch.setattr(run, "build_new_run", lambda *args: 1 / 0)
    code, _, err = stnkit_main(*SWEEP, "seed=0,1", "fail_fast=true")
    assert code == 1
    assert "1 of the jobs did not run" in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_between_two_jobs_ends_the_sweep(number, stnkit_main, monkeypatch):
    before = answers()
    monkeypatch.setattr(train, "checked_config", lambda *args: os.kill(os.getpid(), number))
    code, out, err = stnkit_main(*SWEEP, "seed=0,1")
    assert code == 128 + number
    assert f"the sweep ended early: interrupted by {number.name}; 2 of the jobs did not run; the same" in err
    assert "job 2" not in out
    assert answers() == before


@pytest.mark.training
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_before_its_first_checkpoint_starts_again(number, stnkit_main, monkeypatch, tmp_path):
    def stop(*args):
        os.kill(os.getpid(), number)

    arguments = ["train", *QUICK, "training.epochs=1", "placement=none", "hydra.run.dir=run"]
    with monkeypatch.context() as patch:
        patch.setattr(run, "build_new_run", stop)
        code, _, err = stnkit_main(*arguments)
    assert code == 128 + number
    assert metrics("run")["status"] == "interrupted"
    (further,) = re.findall(r"and the same command with (hydra\.run\.dir=\S+) (skip_\S+) starts", err)
    assert stnkit_main(*arguments[:-1], *further)[0] == 0
    assert metrics("run")["status"] == "completed"


def failed_job_of_another_sweep(sweep):
    """One that runs in the same directory, and has a job that failed, one that was stopped and one that was refused."""
    notes = begin_notes(sweep)
    for name, values in (("a", {"status": "failed", "error": "OSError: no"}), ("b", {"status": "interrupted"})):
        note_job(notes, sweep / name)
        RunRecord(sweep / name).update(**values)
    note_job(notes, sweep / "0", refused=True)


@pytest.mark.training
def test_a_job_of_another_sweep_is_not_counted(stnkit_main, monkeypatch, tmp_path):
    build_new_run = run.build_new_run

    def meanwhile(*args):
        failed_job_of_another_sweep(tmp_path / "sweep")
        return build_new_run(*args)

    monkeypatch.setattr(run, "build_new_run", meanwhile)
    code, _, err = stnkit_main(*SWEEP, "seed=0", "placement=none")
    assert (code, err) == (0, "")


@pytest.mark.slow
def test_an_early_end_names_no_job_of_another_sweep(stnkit_main, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "build_new_run", lambda *args: 1 / 0)
    assert stnkit_main(*SWEEP, "seed=8,9", "fail_fast=true")[0] == 1

    def meanwhile(*args):
        failed_job_of_another_sweep(tmp_path / "sweep")
        raise ZeroDivisionError

    monkeypatch.setattr(run, "build_new_run", meanwhile)
    code, _, err = stnkit_main(*SWEEP, "seed=1,2,3", "fail_fast=true")
    assert code == 1
    (name,) = (name for name in statuses(tmp_path / "sweep") if name not in ("0", "a", "b"))
    assert f"fail_fast=true, and a job failed: sweep/{name}; 2 of the jobs did not run; the same" in err


@pytest.mark.slow
def test_a_listed_job_is_known_by_its_config(stnkit_main, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr(train, "checked_config", lambda *args: os.kill(os.getpid(), signal.SIGTERM))
        assert stnkit_main(*SWEEP, "seed=1,2")[0] == 128 + signal.SIGTERM
    monkeypatch.setattr(run, "build_new_run", lambda *args: 1 / 0)
    # The learning rate is the default.
    continued = ["seed=2", "training.learning_rate=0.003", "skip_completed=true", "fail_fast=true"]
    code, _, err = stnkit_main(*SWEEP, *continued)
    assert code == 1
    assert "did not run" not in err
    assert [job.overrides for job in jobs_not_begun(tmp_path / "sweep")] == [("seed=1",)]


@pytest.mark.slow
def test_a_sweep_that_has_ended_leaves_no_notes(stnkit_main, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "build_new_run", lambda *args: 1 / 0)
    for arguments in (["fail_fast=true"], []):
        assert stnkit_main(*SWEEP, "seed=0,1", *arguments)[0] == 1
        assert not list((tmp_path / "sweep").glob(".sweep-*"))
