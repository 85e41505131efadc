"""Fixtures of the command line."""

import multiprocessing
import os

import pytest
from PIL import Image

from tests.cli.applied import smooth
from tests.helpers import ROOT


@pytest.fixture
def warm_ranks(monkeypatch):
    """Forks ranks from a server that has imported what they import."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["tests.cli.warm_rank"])
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)  # a server that starts now is in the test's folder
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: server)


@pytest.fixture
def files(tmp_path):
    """Twenty PNG files of mixed sizes, some in a folder of their own."""
    for i in range(20):
        path = tmp_path / "photos" / ("more" if i % 5 == 0 else "") / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(smooth(30 + 7 * i, 90 - 3 * i, 3 if i % 2 else 1)).save(path)
    return tmp_path / "photos"


@pytest.fixture
def applied(quick_run, stnkit_main):
    """Runs the command and returns the exit code, the output and the errors."""

    def run(*arguments):
        return stnkit_main("apply", quick_run, *arguments)

    return run
