"""Pytest in the process of a test: a second process would import torch again."""

import os
import sys

import pytest


class Reports:
    """A plugin that records the report of every test, by its id without the path of its file."""

    def __init__(self):
        self.outcomes = {}
        self.texts = {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome != "passed":
            name = report.nodeid.split("/")[-1]
            expected = hasattr(report, "wasxfail") and report.outcome == "skipped"
            self.outcomes[name] = "xfailed" if expected else report.outcome
            self.texts[name] = getattr(report, "wasxfail", "") or report.longreprtext

    def named(self, outcome):
        """The names of the tests with an outcome, in their order."""
        return [name for name, found in self.outcomes.items() if found == outcome]


def run_pytest(folder, *arguments, config=os.devnull):
    """The exit code and the reports of `pytest ARGUMENT …`, with `folder` as the root and by default no configuration.

    Modules stay imported, unlike in pytest's own `pytester`: torch cannot be imported twice.
    """
    reports, path, modules = Reports(), list(sys.path), set(sys.modules)
    plugins = ("benchmark", "cacheprovider", "faulthandler", "xdist")
    blocked = [option for name in plugins for option in ("-p", f"no:{name}")]
    options = ["--rootdir", folder, "-c", config, "-q", *blocked]
    try:
        code = pytest.main([*map(str, (*options, *arguments))], plugins=[reports])
    finally:
        sys.path[:] = path
        for name in {name for name in sys.modules if name.startswith("test_")} - modules:
            del sys.modules[name]
    return code, reports
