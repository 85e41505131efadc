"""A small run of each objective: it is resumed bit for bit, trains in two processes, and is a job of a sweep."""

import signal
from pathlib import Path

import lightning
import pytest
import torch

from stnkit.experiments.loop import run
from stnkit.plugin_system.registry import plugin_registry
from tests.helpers import metrics

SMALL = [
    *("localizer=fully_connected", "training.batch_size=256", "training.epochs=2", "training.progress=false"),
    *("training.accelerator=cpu", "training.schedule=constant", "training.learning_rate=0.003", "seed=1"),
]
FCN = ["network=paper_fcn", "network.hidden=[16]"]
# The words of a run of each objective.
RUNS = {
    "classification": FCN,
    "sequence": ["dataset=sequences", "dataset.source=digits", *FCN],
    "colocalization": [
        *("objective=colocalization", "distortion=translated_cluttered", "distortion.canvas=[40,40]"),
        *("transform=attention", "transform_init={zoom:1.4}", "out_size=[28,28]", *FCN),
    ],
    "alignment": ["objective=alignment", "transform=rotation", "distortion=rotation"],
    "registration": ["dataset=pairs", "dataset.source=digits", "transform=tps"],
    "pose": ["objective=pose", "distortion=projective", "transform=projective"],
}
# Their figures take a good part of a step, so that they are those of evaluations alone.
SLOW_TO_MEASURE = ("alignment", "registration")
# Their losses compare images of a batch with each other, so that a process that has half of it has another loss.
OF_THE_BATCH = ("alignment", "colocalization")


class StopAt(lightning.Callback):
    """Asks the run to stop after a step, as Ctrl-C would."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The directory of an undisturbed run of an objective, trained when it is first asked for."""
    from hydra.core.global_hydra import GlobalHydra

    from stnkit.cli.main import main

    found = {}

    def directory(name):
        if name not in found:
            GlobalHydra.instance().clear()
            path = tmp_path_factory.mktemp(name) / "run"
            assert main(["train", *SMALL, *RUNS[name], f"hydra.run.dir={path}"]) == 0
            found[name] = path
        return found[name]

    return directory


def weights(run_dir):
    return torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def figures(run_dir):
    record = metrics(run_dir)
    names = [f"test_{name}" for name in ("loss", *record["figures"])]
    return {name: record[name] for name in names}


def test_every_objective_has_a_small_run():
    ours = [e.name for e in plugin_registry().registered if (e.kind, e.source.distribution) == ("objective", "stnkit")]
    assert sorted(ours) == sorted(RUNS)


@pytest.mark.training
@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_recorded_by_its_objective(name, undisturbed):
    record = metrics(undisturbed(name))
    assert record["status"] == "completed"
    assert record["config"]["objective"]["name"] == name
    for figure in record["figures"]:
        assert f"validation_{figure}" in record["history"][-1]
        assert (f"train_{figure}" in record["history"][-1]) == (name not in SLOW_TO_MEASURE)
        assert isinstance(record[f"test_{figure}"], float)
    assert len(record["history"]) == 2
    assert record["history"][1]["train_loss"] != record["history"][0]["train_loss"]


@pytest.mark.training
@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_resumed_bit_for_bit(name, undisturbed, stnkit_main, monkeypatch):
    def stopped(*arguments, make_trainer=run.make_trainer):
        trainer = make_trainer(*arguments)
        trainer.callbacks.insert(0, StopAt(3))
        return trainer

    with monkeypatch.context() as patch:
        patch.setattr(run, "make_trainer", stopped)
        assert stnkit_main("train", *SMALL, *RUNS[name], "hydra.run.dir=run")[0] == 130
    assert metrics(Path("run"))["status"] == "interrupted"
    # The same command, which finds the run and goes on with it.
    code, _, err = stnkit_main("train", *SMALL, *RUNS[name], "hydra.run.dir=run", "skip_completed=true")
    assert code == 0, err
    expected = undisturbed(name)
    assert metrics(Path("run"))["history"] == metrics(expected)["history"]
    assert figures(Path("run")) == figures(expected)
    ours, theirs = weights(Path("run")), weights(expected)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.training
@pytest.mark.parametrize("name", RUNS)
def test_two_processes_train_and_measure_as_one(name, undisturbed, warm_ranks, stnkit_main):
    two = ["training.devices=2", "training.strategy=ddp", "hydra.run.dir=two"]
    code, _, err = stnkit_main("train", *SMALL, *RUNS[name], *two)
    assert code == 0, err
    expected, found = figures(undisturbed(name)), figures(Path("two"))
    assert found.keys() == expected.keys()
    assert all(torch.isfinite(torch.tensor(list(found.values()))))
    if name not in OF_THE_BATCH:
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.training
@pytest.mark.parametrize("name", RUNS)
def test_jobs_of_a_sweep_are_trained_once_and_reported(name, undisturbed, stnkit_main):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the extra stnkit[joblib] is not installed")
    sweep = ["train", "-m", *SMALL, *RUNS[name], "hydra.sweep.dir=sweep", "skip_completed=true", "training.epochs=2"]
    joblib = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=1"]
    code, out, err = stnkit_main(*sweep, *joblib, "seed=1")
    assert code == 0, err
    assert figures(Path("sweep/0")) == figures(undisturbed(name))
    before = (Path("sweep/0") / "metrics.json").stat().st_mtime_ns
    code, out, err = stnkit_main(*sweep, "seed=1,2")
    assert code == 0, err
    assert out.count("already completed") == 1
    assert (Path("sweep/0") / "metrics.json").stat().st_mtime_ns == before
    code, out, err = stnkit_main("report", "sweep", "--format", "json")
    assert code == 0, err
    assert f"test_{next(iter(metrics(Path('sweep/0'))['figures']))}" in out
