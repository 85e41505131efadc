"""`make quick`: a sample of the tests that start no process, train nothing and are not slow."""

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

LEFT_OUT = {"slow", "process", "training"}
_RUNNING: list[pytest.Item] = []
_GUARDED = {
    "subprocess": ("Popen", "__init__", "process"),
    "multiprocessing.process": ("BaseProcess", "start", "process"),
    "lightning.pytorch.trainer.trainer": ("Trainer", "fit", "training"),
}


def sample(cases: list[Any], size: int) -> list[Any]:
    """So many of the cases, spread evenly over them; all where there are no more."""
    if size >= len(cases):
        return cases
    return [cases[(2 * i + 1) * len(cases) // (2 * size)] for i in range(size)]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make quick`."""
    words = "of each test that starts no process, trains nothing and is not slow, a sample of its cases"
    parser.addoption("--quick", action="store_true", help=words)


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Mark the tests whose fixtures start a process or train a network; then choose."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if names & {"process_server", "install", "browser"}:
            item.add_marker("process")
        if names & {"quick_run", "completed_sweep", "uninterrupted", "sweep"}:
            item.add_marker("training")
    yield
    if config.option.quick:
        chosen = set(_chosen(items))
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = [item for item in items if item in chosen]


def _chosen(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    """The cube root of the number of a test's cases, or what its marker `quick_cases` says."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        if not LEFT_OUT & {mark.name for mark in item.iter_markers()}:
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for cases in tests.values():
        marker = cases[0].get_closest_marker("quick_cases")
        root = int(len(cases) ** (1 / 3) + 1e-9)  # that of 64 comes out below 4
        yield from sample(cases, marker.args[0] if marker else root)


def _needs_marker(function: Callable[..., Any], marker: str) -> Callable[..., Any]:
    """The function, refused to a test that has neither of the markers `process` and `training`."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        for item in _RUNNING:
            pytest.fail(f"{item.nodeid} needs the marker `{marker}`: `make quick` leaves such tests out")
        return function(*args, **kwargs)

    return guarded


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Hold the tests without a marker to starting no process and training nothing."""
    for module in [name for name in _GUARDED if name in sys.modules]:
        cls, method, marker = _GUARDED.pop(module)
        owner = getattr(sys.modules[module], cls)
        setattr(owner, method, _needs_marker(getattr(owner, method), marker))
    _RUNNING[:] = [] if {"process", "training"} & {mark.name for mark in item.iter_markers()} else [item]
    try:
        return (yield)
    finally:
        _RUNNING.clear()
