"""A sweep in worker processes, which find the plugins by themselves."""

import os
import subprocess
import sys

import pytest

from tests.cli.conftest import QUICK, metrics

pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra stnkit[joblib] is not installed")

PLUGIN = """
import torch, stnkit

class Drift(stnkit.TransformFamily):
    n_params = 2

    def __init__(self, crash: bool = False):
        super().__init__()
        self.crash = crash

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        if self.crash:
            raise RuntimeError("crashed")
        return points + theta[:, None]

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("drift", Drift)
"""


@pytest.fixture
def sweep(make_distribution, tmp_path):
    """`stnkit train -m …` over two workers, with a third-party transform and a broken plugin installed."""
    folder = make_distribution(
        "drifting",
        {"drifting": PLUGIN},
        {"transform.drift": "drifting", "transform.broken": "no_such_module_at_all"},
    )

    def run(*arguments):
        return subprocess.run(
            [
                *(sys.executable, "-c", "from stnkit.cli.main import entry; entry()", "train", "-m"),
                *("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=sweep"),
                *(*QUICK, "training.epochs=1", *arguments),
            ],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.mark.slow
def test_workers_find_third_party_plugins(sweep, tmp_path):
    ended = sweep("transform=drift,affine")
    assert ended.returncode == 0, ended.stderr
    told = [metrics(tmp_path / "sweep" / cell) for cell in "01"]
    assert [m["config"]["transform"]["name"] for m in told] == ["drift", "affine"]
    assert [m["status"] for m in told] == ["completed", "completed"]
    # A broken plugin is one warning, not one for each process.
    (line,) = ended.stderr.splitlines()
    assert line.startswith("warning: plugin transform.broken of drifting 1.0")


@pytest.mark.slow
def test_a_failed_cell_of_a_worker_tells_why_the_others_go_on_and_the_exit_code_is_2(sweep, tmp_path):
    ended = sweep("transform=drift", "localizer.hidden=[0],[8]")
    assert ended.returncode == 2, ended.stderr
    assert [metrics(tmp_path / "sweep" / cell)["status"] for cell in "01"] == ["failed", "completed"]
    assert "Traceback" not in ended.stderr
    (said,) = [line for line in ended.stderr.splitlines() if line.startswith("stnkit train: ")]
    assert "hidden must list one or more widths" in said
    # Hydra's own line, which names the cell, and the one of the broken plugin.
    assert len(ended.stderr.splitlines()) == 3


@pytest.mark.slow
def test_a_cell_that_crashes_gives_exit_code_1_and_the_others_go_on(sweep, tmp_path):
    ended = sweep("transform=drift", "transform.crash=true,false")
    assert ended.returncode == 1, ended.stderr
    assert [metrics(tmp_path / "sweep" / cell)["status"] for cell in "01"] == ["failed", "completed"]
    assert "RuntimeError: crashed" in ended.stderr
