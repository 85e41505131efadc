"""Fixtures of the command line."""

import multiprocessing

import pytest


@pytest.fixture
def warm_ranks(monkeypatch):
    """Forks ranks from a server that has imported what Lightning imports, but not Lightning, which reads the rank."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["torch._dynamo", "torchmetrics", "sklearn.datasets", "stnkit.families"])
    monkeypatch.setattr(multiprocessing, "get_context", lambda method: server)
