"""A sweep in worker processes, which find the plugins by themselves."""

import os
import pickle
import subprocess
import sys
import warnings

import pytest
from omegaconf import OmegaConf

import stnkit
from stnkit.cli import train
from tests.cli.conftest import QUICK, metrics

pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra stnkit[joblib] is not installed")

PLUGIN = """
import torch, stnkit

class Drift(stnkit.TransformFamily):
    n_params = 2

    def identity(self):
        return torch.zeros(2, dtype=torch.float64)

    def forward(self, theta, points):
        return points + theta[:, None]

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("drift", Drift)
"""


@pytest.mark.slow
def test_workers_find_third_party_plugins_and_tell_how_their_cells_ended(make_distribution, tmp_path):
    folder = make_distribution(
        "drifting",
        {"drifting": PLUGIN},
        {"transform.drift": "drifting", "transform.broken": "no_such_module_at_all"},
    )
    ended = subprocess.run(
        [
            *(sys.executable, "-c", "from stnkit.cli.main import entry; entry()", "train", "-m"),
            *("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=sweep"),
            *(*QUICK, "training.epochs=1", "transform=drift,affine", "localizer.hidden=[0],[8]"),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    told = [metrics(tmp_path / "sweep" / cell) for cell in "0123"]
    assert [m["config"]["transform"]["name"] for m in told] == ["drift", "drift", "affine", "affine"]
    # A cell that fails leaves the others alone, and its reason stands in its record too.
    assert [m["status"] for m in told] == ["failed", "completed"] * 2
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    lines = ended.stderr.splitlines()
    assert len([line for line in lines if "hidden must list one or more widths" in line]) == 2
    # A broken plugin is one warning, not one for each process.
    assert [line for line in lines if "warning" in line.lower()] == [lines[0]]
    assert lines[0].startswith("warning: plugin transform.broken of drifting 1.0")
    # The last line is Hydra's own; it names the first cell that failed.
    assert len(lines) == 4


@pytest.mark.parametrize(("error", "code"), [(stnkit.InputError("no good"), 2), (RuntimeError("crashed"), 1)])
def test_what_ends_a_cell_in_a_worker_comes_back_as_an_exit_code_that_can_be_pickled(error, code, monkeypatch, capfd):
    def raising(*_):
        raise error

    monkeypatch.setattr(train._ended, "process", -1)  # as in a process that did not call main
    monkeypatch.setattr(train, "_run", raising)
    monkeypatch.setattr(train.HydraConfig, "get", lambda: OmegaConf.create({"runtime": {"output_dir": "."}}))
    with warnings.catch_warnings(), pytest.raises(train._CellFailed) as failed:
        train._job(OmegaConf.create())
    assert str(error) in capfd.readouterr().err
    again = pickle.loads(pickle.dumps(failed.value))

    def ends():
        raise again

    monkeypatch.setattr(train, "_program", ends)
    assert train.main([]) == code
