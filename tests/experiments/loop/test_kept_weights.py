"""`training.keep` and `training.patience`, also through interruptions."""

import json
import os
import shutil
import signal
from pathlib import Path

import lightning
import pytest
import torch

import stnkit
from stnkit.experiments.loop import run
from stnkit.experiments.loop.interruption import Interrupted
from stnkit.experiments.loop.kept_weights import Patience, SaveBest, best_epoch
from tests.helpers import AGING, QUICK, metrics, trained

# The error falls for some epochs, then not for two: five steps in an epoch.
KEPT = [
    *QUICK,
    *("placement=none", "distortion=rotation", "seed=1", "training.epochs=12"),
    *("training.schedule=constant", "training.learning_rate=0.03", "training.keep=best", "training.patience=2"),
]


class StopAt(lightning.Callback):
    """Asks the run to stop after a step, as Ctrl-C would."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The directory of an uninterrupted run."""
    return trained(tmp_path_factory.mktemp("kept"), *KEPT)


def weights(path):
    state = torch.load(path, weights_only=True)["state_dict"]
    return {name: value for name, value in state.items() if name.startswith("network.")}


def check_same_end(folder, kept):
    expected, resumed = metrics(kept), metrics(folder)
    assert resumed["status"] == "completed"
    for key in ("history", "best_epoch", "test_loss", "test_error"):
        assert resumed[key] == expected[key]
    for name in ("last.ckpt", "best.ckpt"):
        ours, theirs = (weights(path / "checkpoints" / name) for path in (folder, kept))
        assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


class Found(stnkit.Objective):
    figures = {"found": stnkit.objectives.Figure("%", higher_is_better=True)}  # noqa: RUF012

    def losses(self, batch):
        return {}

    def measure(self, batch):
        return {}


def test_the_best_epoch_is_the_earliest_of_equals():
    errors = [30.0, 20.0, 25.0, 20.0]
    classification = stnkit.build("objective", "classification")
    assert best_epoch([{"validation_error": error} for error in errors], classification) == 1
    assert best_epoch([{"validation_found": found} for found in (1.0, 3.0, 3.0)], Found()) == 1


@pytest.mark.parametrize("objective", [Found(), stnkit.build("objective", "classification")])
def test_a_figure_that_is_nan_is_never_the_best(objective):
    name, nan = f"validation_{objective.primary}", float("nan")
    assert best_epoch([{name: value} for value in (nan, 5.0, nan)], objective) == 1
    assert best_epoch([{name: value} for value in (5.0, nan)], objective) == 0
    assert best_epoch([{name: nan}, {name: nan}], objective) == 0
    # By default Lightning ends a training at the first NaN.
    assert not Patience(2, objective).check_finite


@pytest.mark.training
def test_the_best_weights_are_tested_and_loaded(kept):
    told = metrics(kept)
    errors = [epoch["validation_error"] for epoch in told["history"]]
    assert told["best_epoch"] == errors.index(min(errors)) != len(errors) - 1
    assert Path(told["checkpoint"]) == kept / "checkpoints" / "best.ckpt"
    loaded = stnkit.load_run(kept)
    for split, error in (("validation", min(errors)), ("test", told["test_error"])):
        data = loaded.data.fixed(split)
        with torch.no_grad():
            wrong = (loaded.network(data.images[:]).argmax(dim=1) != data.labels).double().mean()
        assert 100 * float(wrong) == pytest.approx(error, abs=1e-4)


@pytest.mark.no_jaxtyping
@pytest.mark.training
def test_the_objective_is_tested_as_of_the_best_epoch(make_distribution, stnkit_main):
    make_distribution("theirs", {"their_aging": AGING}, {"objective.aging": "their_aging"})
    options = ["objective=aging", "training.keep=best", "training.schedule=constant"]
    assert stnkit_main("train", *QUICK, *options, "hydra.run.dir=run")[0] == 0
    told = metrics("run")
    assert told["best_epoch"] == 0
    assert told["test_age"] == told["history"][0]["validation_age"] == 5 == told["history"][1]["validation_age"] / 2
    code, out, err = stnkit_main("evaluate", "run", "--json")
    assert code == 0, err
    assert json.loads(out)["test_loss"] == pytest.approx(told["test_loss"], rel=1e-6)


@pytest.mark.training
def test_training_ends_when_the_error_has_not_fallen(kept):
    told = metrics(kept)
    assert told["epoch"] == len(told["history"]) == told["best_epoch"] + 1 + 2 < 12


@pytest.mark.training
@pytest.mark.parametrize("step", [12, 20, 23])  # in an epoch, at its end, in the first one that is not better
def test_what_is_kept_survives_an_interruption(step, kept, stnkit_main, monkeypatch):
    make_trainer = run.make_trainer

    def stopping(*arguments):
        trainer = make_trainer(*arguments)
        trainer.callbacks.insert(0, StopAt(step))
        return trainer

    with monkeypatch.context() as patch:
        patch.setattr(run, "make_trainer", stopping)
        assert stnkit_main("train", *KEPT, "hydra.run.dir=run")[0] == 130
    Path("run").rename("moved")  # Lightning's ModelCheckpoint would forget the lowest error
    assert stnkit_main("train", "resume=moved")[0] == 0
    check_same_end(Path("moved"), kept)


@pytest.mark.training
def test_a_death_between_both_checkpoints_loses_nothing(kept, stnkit_main, monkeypatch):
    save = SaveBest.on_train_epoch_end

    def save_and_die(self, trainer, module):
        save(self, trainer, module)
        if trainer.current_epoch == 2:
            raise Interrupted(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(SaveBest, "on_train_epoch_end", save_and_die)
        assert stnkit_main("train", *KEPT, "hydra.run.dir=run")[0] == 130
    assert stnkit_main("train", "resume=run")[0] == 0
    check_same_end(Path("run"), kept)


@pytest.mark.training
def test_a_run_out_of_patience_resumes_at_its_test(kept, stnkit_main):
    """Lightning's EarlyStopping restores its count and trains one epoch more."""
    shutil.copytree(kept, "run")
    Path("run/metrics.json").write_text(json.dumps(metrics(kept) | {"status": "running"}))
    assert stnkit_main("train", "resume=run")[0] == 0
    check_same_end(Path("run"), kept)
