"""A sweep in worker processes, which find the plugins by themselves."""

import os

import pytest

from stnkit.experiments.run_directory.job_list import jobs_not_begun
from tests.helpers import QUICK, metrics

pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra stnkit[joblib] is not installed")

PLUGIN = """
import torch, stnkit

class Drift(stnkit.TransformFamily):
    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None]

    def compose(self, outer, inner):  # as in plugin API 1
        return outer + inner

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("drift", Drift)
"""


@pytest.mark.slow
def test_workers_find_third_party_plugins_and_record_errors(make_distribution, stnkit_process, tmp_path):
    folder = make_distribution(
        "drifting",
        {"drifting": PLUGIN},
        {"transform.drift": "drifting", "transform.broken": "no_such_module_at_all"},
    )
    process = stnkit_process(
        *("train", "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=sweep"),
        *(*QUICK, "training.epochs=1", "transform=drift,affine", "localizer.hidden=[0],[8]"),
        env=os.environ | {"PYTHONPATH": str(folder)},
    )
    out, err = process.communicate(timeout=300)
    told = [metrics(tmp_path / "sweep" / job) for job in "0123"]
    assert [m["config"]["transform"]["name"] for m in told] == ["drift", "drift", "affine", "affine"]
    # A job that fails leaves the others alone, and its reason stands in its record too.
    assert [m["status"] for m in told] == ["failed", "completed"] * 2
    assert process.returncode == 2, err
    # The workers have noted their jobs in the list of the sweep.
    assert len(list((tmp_path / "sweep" / ".jobs").iterdir())) == 4
    assert jobs_not_begun(tmp_path / "sweep") == []
    assert "Traceback" not in err
    lines = err.splitlines()
    assert len([line for line in lines if "hidden: expected one or more widths" in line]) == 2
    # A broken plugin is one warning, not one for each process, and so is one of an older API.
    assert [line for line in lines if "warning" in line.lower()] == lines[:2]
    assert sorted(lines[:2])[0].startswith("warning: plugin transform.broken of drifting 1.0")
    assert sorted(lines[:2])[1].startswith("warning: plugin transform.drift of drifting 1.0 (drifting) is written for")
    # The last line counts the jobs that failed.
    assert len(lines) == 5
    assert "job 2 of 4: transform=drift localizer.hidden=[8]" in out.splitlines()


@pytest.mark.slow
def test_the_first_failure_stops_the_other_workers(stnkit_process, tmp_path):
    sweep = ["train", "-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=sweep"]
    # The first job fails after a few steps, and the second would take hours.
    rates = ["training.optimizer=sgd", "training.learning_rate=1e9,0.05,0.06"]
    process = stnkit_process(*sweep, *QUICK, *rates, "placement=none", "training.epochs=99999", "fail_fast=true")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2, err
    assert "Traceback" not in err
    assert "the sweep ended early: fail_fast=true, and a job failed: sweep/0; " in err
    assert " of the jobs did not run; the same command with hydra.sweep.dir=sweep skip_completed=true" in err
    others = {metrics(path.parent)["status"] for path in (tmp_path / "sweep").glob("[12]/metrics.json")}
    assert others <= {"interrupted"}
