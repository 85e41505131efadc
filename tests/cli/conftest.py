"""Fixtures of the command line."""

import multiprocessing

import pytest
from PIL import Image

from tests.cli.applied import smooth


@pytest.fixture
def warm_ranks(monkeypatch):
    """Forks ranks from a server that has imported what Lightning imports, but not Lightning, which reads the rank."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["torch._dynamo", "torchmetrics", "sklearn.datasets", "stnkit.families"])
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
