"""Processes that are started, watched and stopped together."""

import os
import signal
import time

import pytest

import stnkit
from stnkit.experiments.loop.interruption import Interrupted
from stnkit.experiments.loop.process_launcher import ProcessError, run_in_processes


def tell(rank, folder, word):
    names = ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR")
    (folder / str(rank)).write_text(" ".join([word, *(os.environ[name] for name in names)]))


def fail_in_the_second(rank, error):
    if rank == 1:
        raise error
    time.sleep(1)
    raise RuntimeError("the other is gone")


def die_in_the_second(rank):
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    raise RuntimeError("the other is gone")


@pytest.mark.process
def test_every_process_gets_the_arguments_and_its_rank(tmp_path):
    run_in_processes(tell, 2, tmp_path, "hello")
    assert (tmp_path / "0").read_text() == "hello 0 2 0 127.0.0.1"
    assert (tmp_path / "1").read_text() == "hello 1 2 0 127.0.0.1"
    assert "LOCAL_RANK" not in os.environ


@pytest.mark.process
def test_the_first_error_is_raised_and_not_those_that_follow():
    with pytest.raises(stnkit.errors.DataError, match=r"^no such file$"):
        run_in_processes(fail_in_the_second, 2, stnkit.errors.DataError("no such file"))


@pytest.mark.process
def test_an_unexpected_error_keeps_its_traceback():
    with pytest.raises(RuntimeError, match="process 1 of the 2 of this run failed: KeyError: 'x'") as caught:
        run_in_processes(fail_in_the_second, 2, KeyError("x"))
    assert "in fail_in_the_second" in str(caught.value.__cause__)


def stop(rank):
    raise Interrupted(signal.SIGUSR1)


@pytest.mark.process
def test_processes_that_were_asked_to_stop_have_not_failed():
    with pytest.raises(Interrupted, match="interrupted by SIGTERM"):
        run_in_processes(stop, 2)


@pytest.mark.process
def test_a_killed_process_is_reported_before_errors_of_others():
    with pytest.raises(ProcessError, match="process 1 of the 2 of this run was ended by SIGKILL"):
        run_in_processes(die_in_the_second, 2)
    assert issubclass(ProcessError, stnkit.errors.StnkitError)
