"""Another process than the first, beside the first in one process."""

import threading
import warnings
from dataclasses import replace

import pytest

from stnkit.errors import InputError
from stnkit.experiments.loop.failures import ProcessError
from stnkit.experiments.loop.joined import connections, follower, leader
from stnkit.experiments.loop.joined.launched import find_launched
from tests.cli.launchers import free_port, slurm


@pytest.fixture
def launched():
    return replace(find_launched(slurm(0, nodes=2, per_node=1)), port=free_port())


def silent(sentence, run_dir):
    raise AssertionError(f"nothing to say, got {sentence}")


def train(*arguments):
    raise AssertionError("it has no run to train")


@pytest.fixture
def pair(launched):
    """The first, and a function that ends it and returns the exit code of the second, which follows in a thread."""
    first, codes = leader.Leader(launched, [], silent), []
    second = follower.Follower(replace(launched, rank=1, node_rank=1), [], silent)
    following = threading.Thread(target=lambda: codes.append(second.follow(train)))

    def end(code):
        ending = threading.Thread(target=first.end, args=(code,))  # signals stay as they are but in the main thread
        ending.start()
        ending.join()
        following.join()
        return codes[0]

    with warnings.catch_warnings():
        following.start()
        yield first, end


def test_a_directory_that_a_node_does_not_see_is_refused(pair, tmp_path, monkeypatch):
    first, end = pair
    monkeypatch.setattr(follower, "_SHARED", 0.2)
    first.start({}, tmp_path, {"began": "now"}, None)
    message = r"^process 1 of the 2 of this run, on \S+: hydra.run.dir: expected a directory that all nodes share, got "
    with pytest.raises(InputError, match=message):
        first.meet()
    assert end(2) == 2


def test_without_a_run_it_ends_with_the_first(pair):
    _, end = pair
    assert end(0) == 0


@pytest.mark.slow
def test_a_first_process_that_does_not_answer_is_named(launched, monkeypatch):
    monkeypatch.setattr(connections, "JOIN_TIMEOUT", 0.2)
    with pytest.raises(ProcessError, match=r"^process 1 of the 2 of srun cannot reach process 0 on 127.0.0.1: "):
        follower.Follower(replace(launched, rank=1), [], silent)
