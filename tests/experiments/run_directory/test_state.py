"""A run that died is told from one that is running, by whoever looks."""

import json
import os
import subprocess
import sys

import pytest

from stnkit.experiments.run_directory.lock import BusyError, holder, is_locked, run_lock
from stnkit.experiments.run_directory.state import State, state_of
from stnkit.files import locks

WORK = """
import sys, time
from pathlib import Path
from stnkit.experiments.run_directory.lock import run_lock
with run_lock(Path(sys.argv[1])) as sign:
    sign()
    print("locked", flush=True)
    time.sleep(60)
"""


def record(run_dir, status):
    (run_dir / "metrics.json").write_text(json.dumps({"status": status}))


@pytest.mark.process
def test_a_run_whose_process_was_killed_has_died(tmp_path):
    record(tmp_path, "running")
    assert state_of(tmp_path) is State.died
    process = subprocess.Popen([sys.executable, "-c", WORK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "locked\n"
    assert state_of(tmp_path) is State.running
    assert holder(tmp_path) == process.pid
    with pytest.raises(BusyError), run_lock(tmp_path):
        pass
    process.kill()
    process.communicate()
    assert state_of(tmp_path) is State.died
    assert holder(tmp_path) is None
    with run_lock(tmp_path) as sign:
        assert holder(tmp_path) != os.getpid()
        sign()
        assert holder(tmp_path) == os.getpid()


@pytest.mark.parametrize("status", ["completed", "failed", "interrupted"])
def test_a_run_that_has_ended_is_in_its_recorded_state(status, tmp_path):
    record(tmp_path, status)
    assert state_of(tmp_path) == status
    with run_lock(tmp_path):
        assert state_of(tmp_path) == status


def test_the_process_that_works_there_finds_that_the_other_died(tmp_path):
    record(tmp_path, "running")
    with run_lock(tmp_path):
        assert state_of(tmp_path) is State.running
        assert state_of(tmp_path, own=True) is State.died


def test_a_run_that_ends_between_two_looks_has_not_died(tmp_path, monkeypatch):
    record(tmp_path, "running")

    def ends_now(run_dir):
        record(run_dir, "completed")
        return False

    monkeypatch.setattr("stnkit.experiments.run_directory.state.is_locked", ends_now)
    assert state_of(tmp_path) is State.completed


@pytest.mark.parametrize("text", ['{"status": "comp', '{"status": "other"}', "{}", "[]"])
def test_what_is_not_the_record_of_a_run_has_no_state(text, tmp_path):
    assert state_of(tmp_path) is None
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(ValueError, match=r".+"):
        state_of(tmp_path)


@pytest.mark.parametrize("error", [OSError("no locks here"), BlockingIOError()])
def test_a_file_system_without_locks_says_running(error, tmp_path, monkeypatch):
    (tmp_path / ".lock").touch()

    def fail(file, operation):
        raise error

    monkeypatch.setattr(locks.fcntl, "flock", fail)
    assert is_locked(tmp_path)


def test_looking_at_a_run_does_not_keep_it_from_starting(tmp_path):
    (tmp_path / ".lock").touch()
    flock, attempts = locks.fcntl.flock, []

    def busy_once(file, operation):
        attempts.append(operation)
        if len(attempts) == 1:
            raise BlockingIOError
        flock(file, operation)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locks.fcntl, "flock", busy_once)
        with run_lock(tmp_path):
            assert len(attempts) == 2
