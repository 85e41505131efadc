"""The first process of a joined run, with others that say what a test lets them say."""

import signal
import socket
import threading
import time
from dataclasses import replace

import pytest

from stnkit.errors import DataError, InputError
from stnkit.experiments.loop.failures import Failure, ProcessError, ProcessLostError
from stnkit.experiments.loop.interruption import Interrupted, interruptible
from stnkit.experiments.loop.joined import connections, leader
from stnkit.experiments.loop.joined.launched import find_launched
from tests.cli.launchers import free_port, slurm

COMMAND = ["seed=1"]
CONFIG = {"seed": 1, "placement": {"parts": {2: None}}}


@pytest.fixture(autouse=True)
def _handlers():
    """Those of pytest: a process of a run ignores signals at its end."""
    earlier = {number: signal.getsignal(number) for number in signal.valid_signals()}
    yield
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(number, earlier[number])


@pytest.fixture
def three():
    """Process 0 of three, and a function that connects another one and returns its line."""
    launched = replace(find_launched(slurm(0, nodes=1, per_node=3)), port=free_port())
    first = leader.Leader(launched, COMMAND, lambda sentence, run_dir: None)
    lines = []

    def joined(rank, command=COMMAND, token=None):
        line, own = connections.connect(replace(launched, rank=rank))
        line.send({"rank": rank, "token": token or own, "host": f"node{rank}", "command": command})
        lines.append(line)
        return line

    yield first, joined
    for line in lines:
        line.close()
    first._listening.close()


def failure(rank, error):
    return {
        "failure": vars(Failure(at=1.0 + rank, rank=rank, name=type(error).__name__, message=str(error), traceback=""))
    }


def test_every_process_gets_the_run_and_the_port(three, tmp_path):
    first, joined = three
    lines = [joined(1), joined(2)]
    first.start(CONFIG, tmp_path, {"began": "now"}, None)
    for line in lines:
        run = line.receive()["run"]
        assert (run["run_dir"], run["values"], run["resume_from"]) == (str(tmp_path), {"began": "now"}, None)
        line.send({"ready": True})
    port = first.meet()
    assert [line.receive() for line in lines] == 2 * [{"port": port}]
    with first.answering():
        for line in lines:
            line.send({"done": True})
    ends = [threading.Thread(target=lambda line=line: (line.receive(), line.close())) for line in lines]
    for end in ends:
        end.start()
    first.end(0)
    for end in ends:
        end.join()


def test_another_command_in_a_process_is_refused(three, tmp_path):
    first, joined = three
    joined(1), joined(2, ["seed=2"])
    with pytest.raises(InputError, match="in all 3 processes of srun, got 'seed=2' in process 2: STNKIT_JOIN=0 makes"):
        first.start(CONFIG, tmp_path, {}, None)


def test_a_missing_process_is_named(three, tmp_path, monkeypatch):
    first, joined = three
    monkeypatch.setattr(leader, "JOIN_TIMEOUT", 0.2)
    joined(1)
    with pytest.raises(ProcessError, match=r"^expected 3 processes of srun, got no answer from process 2 in 0 s$"):
        first.start(CONFIG, tmp_path, {}, None)


def test_a_stranger_is_not_a_process_of_the_run(three, tmp_path, monkeypatch):
    first, joined = three
    monkeypatch.setattr(leader, "JOIN_TIMEOUT", 0.2)
    assert joined(1, token="guessed").receive() is None
    with socket.create_connection(("127.0.0.1", first._listening.getsockname()[1])) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ProcessError, match="no answer from process 1, 2"):
            first.start(CONFIG, tmp_path, {}, None)


def test_a_lost_process_comes_before_the_errors_that_follow(three):
    first, joined = three
    lines = {rank: joined(rank) for rank in (1, 2)}
    lines[1].send(failure(1, RuntimeError("connection closed by peer")))
    lines[2].close()
    lost = r"^process 2 of the 3 of this run was killed, or its machine node2 was lost$"
    with pytest.raises(ProcessLostError, match=lost), first.answering():
        raise RuntimeError("connection closed by peer")


def busy():
    time.sleep(60)


def busy_in_a_library():
    try:
        time.sleep(60)
    finally:
        raise RuntimeError("half changed")


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize("lost", [True, False])
@pytest.mark.parametrize("work", [busy, busy_in_a_library])
def test_a_first_process_that_is_busy_is_stopped(work, early, lost, three, monkeypatch):
    monkeypatch.setattr(leader, "SETTLE", 0.1)
    first, joined = three
    lines = {rank: joined(rank) for rank in (1, 2)}

    def fail():
        if lost:
            lines[2].close()
        else:
            lines[2].send(failure(2, DataError("no such file")))

    failing = threading.Timer(0.0 if early else 0.3, fail)
    failing.start()
    if early:
        with first._changed:
            assert first._changed.wait_for(lambda: first._lost or first._failures, 10)
    began = time.monotonic()
    message = "was killed" if lost else r"on node2: no such file$"
    with (
        pytest.raises(ProcessLostError if lost else DataError, match=message),
        interruptible(),
        first.answering(),
    ):
        work()
    assert time.monotonic() - began < 30
    failing.join()


def test_the_mistake_of_another_process_is_raised_here(three):
    first, joined = three
    lines = {rank: joined(rank) for rank in (1, 2)}
    lines[2].send(failure(2, DataError("no such file")))
    lines[1].send({"ready": True})
    with pytest.raises(DataError, match=r"^process 2 of the 3 of this run, on node2: no such file$"):
        first.meet()


def test_an_unexpected_error_of_another_process_is_named(three):
    first, joined = three
    lines = {rank: joined(rank) for rank in (1, 2)}
    lines[1].send(failure(1, KeyError("x")))
    with pytest.raises(RuntimeError, match="process 1 of the 3 of this run failed: KeyError: 'x'"):
        first.meet()


def test_its_own_mistake_and_interruption_are_raised_as_they_are(three, monkeypatch):
    first, joined = three
    monkeypatch.setattr(leader, "SETTLE", 0.1)
    with pytest.raises(DataError, match=r"^mine$"), first.answering():
        raise DataError("mine")
    line = joined(1)
    line.send(failure(1, Interrupted(signal.SIGTERM)))
    with pytest.raises(Interrupted, match=r"^interrupted by SIGUSR1 after 2$"), first.answering():
        raise Interrupted(signal.SIGUSR1, "after 2")


def test_a_process_that_comes_late_ends_too(three):
    first, joined = three
    ending = threading.Thread(target=first.end, args=(2,))
    ending.start()
    lines = [joined(1), joined(2)]
    assert [line.receive() for line in lines] == 2 * [{"end": 2}]
    for line in lines:
        line.close()
    ending.join()


def test_a_port_that_is_taken_is_refused():
    with socket.create_server(("", 0)) as taken:
        launched = replace(find_launched(slurm(0)), port=taken.getsockname()[1])
        with pytest.raises(InputError, match=rf"^MASTER_PORT: expected a free port of 127.0.0.1, got {launched.port}"):
            leader.Leader(launched, COMMAND, lambda sentence, run_dir: None)
