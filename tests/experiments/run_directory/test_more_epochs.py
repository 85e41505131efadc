"""A run that goes on is one longer run, or is refused."""

import shutil
from pathlib import Path

import pytest
import torch
import yaml

from stnkit.errors import InputError
from stnkit.experiments.run_directory.more_epochs import check_more_epochs, completed_error
from tests.helpers import QUICK, metrics

# Two steps of the schedule, one of them in the second part.
STEPS = [*QUICK, "training.schedule=step", "training.step_every=7", "training.learning_rate=0.01"]


@pytest.mark.training
def test_a_completed_run_goes_on_as_one_longer_run(stnkit_main, tmp_path):
    assert stnkit_main("train", *STEPS, "hydra.run.dir=run")[0] == 0
    first = metrics("run")
    code, _, err = stnkit_main("train", "resume=run", "training.epochs=4")
    assert code == 0, err
    assert stnkit_main("train", *STEPS, "training.epochs=4", "hydra.run.dir=whole")[0] == 0
    ours, whole = metrics("run"), metrics("whole")
    assert ours["history"] == whole["history"]
    assert ours["history"][:2] == first["history"]
    assert list(first["n_images"]) == ["train", "validation", "test"]
    for key in ("status", "epoch", "step", "test_loss", "test_error", "pose", "config", "n_images"):
        assert ours[key] == whole[key]
    weights, expected = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for folder in (tmp_path / "run", tmp_path / "whole")
    )
    assert all(torch.equal(weights[name], expected[name]) for name in expected)
    # It is the job of four epochs from now on.
    code, out, _ = stnkit_main("train", *STEPS, "training.epochs=4", "hydra.run.dir=run", "skip_completed=true")
    assert code == 0
    assert "already completed" in out


def test_a_schedule_over_all_epochs_is_not_prolonged(stnkit_main, copy_of_quick_run):
    before = metrics("run")
    code, _, err = stnkit_main("train", "resume=run", "training.epochs=4")
    assert code == 2
    (line,) = err.splitlines()
    assert "training.epochs: expected 2 as in resume=run, whose training.schedule=one_cycle is planned" in line
    assert metrics("run") == before
    assert yaml.safe_load((copy_of_quick_run / "config.yaml").read_text())["training"]["epochs"] == 2


@pytest.mark.parametrize("epochs", [1, 2])
def test_fewer_epochs_are_refused(epochs, stnkit_main, quick_run, tmp_path):
    shutil.copytree(quick_run, tmp_path / "run")
    code, _, err = stnkit_main("train", "resume=run", f"training.epochs={epochs}")
    assert code == 2
    assert f"training.epochs: expected more than the 2 of resume=run, got {epochs}" in err


@pytest.mark.parametrize(("status", "refused"), [("completed", True), ("interrupted", False)])
def test_a_run_that_has_stopped_by_itself_stays_so(status, refused, tmp_path):
    saved = {"training": {"epochs": 9, "schedule": "constant", "patience": 2}}
    record = {"status": status, "epoch": 5}
    if not refused:
        check_more_epochs(tmp_path, saved, record, 12)
        return
    with pytest.raises(InputError, match=r"which stopped after 5 epochs by training\.patience=2"):
        check_more_epochs(tmp_path, saved, record, 12)


@pytest.mark.parametrize(
    ("patience", "errors", "by"),
    [
        (None, [9.0, 8.0], "which a callback of a plugin stopped after 2 epochs, as it would stop a longer run"),
        (2, [9.0, 9.0, 8.0], "which a callback of a plugin stopped after 3 epochs"),
        (2, [9.0, float("nan")], "which a callback of a plugin stopped after 2 epochs"),
        (2, [9.0, 7.0, 8.0, 7.0], r"which stopped after 4 epochs by training\.patience=2"),
        (2, [float("nan")] * 2, r"which stopped after 2 epochs by training\.patience=2"),
    ],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_reason_says_who_has_stopped_a_run(patience, errors, by, sign, tmp_path):
    saved = {"training": {"epochs": 9, "schedule": "constant", "patience": patience}}
    record = {
        "status": "completed",
        "epoch": len(errors),
        "figures": {"cost": {"unit": "", "higher_is_better": sign < 0}, "other": {}},
        "history": [{"epoch": i, "validation_cost": sign * error} for i, error in enumerate(errors)],
    }
    with pytest.raises(InputError, match=by):
        check_more_epochs(tmp_path, saved, record, 12)


@pytest.mark.parametrize(
    ("schedule", "done", "way"),
    [
        ("constant", 9, "; training.epochs=MORE goes on with it"),
        (
            "one_cycle",
            9,
            ", whose training.schedule=one_cycle is planned over all epochs; a run with init_from=run starts from its "
            "weights",
        ),
        (
            "step",
            5,
            ", which stopped after 5 epochs by training.patience=2 as a longer run would; a run with init_from=run "
            "starts from its weights",
        ),
    ],
)
def test_a_completed_run_names_a_way_that_is_open(schedule, done, way):
    saved = {"training": {"epochs": 9, "schedule": schedule, "patience": 2}}
    record = {"status": "completed", "epoch": done}
    error = completed_error(Path("run"), saved, record)
    assert str(error) == f"resume=run: expected an interrupted run, got a completed one{way}"
    try:
        check_more_epochs(Path("run"), saved, record, 12)
    except InputError:
        assert "MORE" not in str(error)
    else:
        assert "MORE" in str(error)
