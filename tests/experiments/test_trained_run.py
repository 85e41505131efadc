import json
import random

import numpy as np
import pytest
import torch

import stnkit


def test_a_loaded_run_has_the_test_error_of_its_record(sweep):
    for name in "01":
        run = stnkit.load_run(sweep / "ok" / name)
        test = run.data.fixed("test")
        with torch.no_grad():
            wrong = (run.network(test.images[:]).argmax(dim=1) != test.labels).float().mean()
        assert 100 * float(wrong) == pytest.approx(run.metrics["test_error"], abs=1e-4)
        assert not run.network.training
        assert run.config["distortion"]["name"] == "rotation"


@pytest.mark.no_jaxtyping  # beartype draws from `random` which item of a list it checks
def test_loading_does_not_change_random_states(sweep):
    def draw():
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002 the global state is what is looked at
        random.seed(5)
        yield
        yield torch.rand(3).tolist(), np.random.rand(), random.random()  # noqa: NPY002

    untouched, loaded = draw(), draw()
    next(untouched)
    expected = next(untouched)
    next(loaded)
    stnkit.load_run(sweep / "ok" / "1")
    assert next(loaded) == expected


def test_options_of_the_dataset_can_be_overridden(sweep, tmp_path):
    told = json.loads((sweep / "ok" / "1" / "metrics.json").read_text())
    told["config"]["dataset"] = {"name": "mnist", "root": "nowhere", "download": False, "n_validation": 5000}
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "checkpoints").symlink_to(sweep / "ok" / "1" / "checkpoints")
    (run_dir / "metrics.json").write_text(json.dumps(told))
    run = stnkit.load_run(run_dir, dataset={"root": "elsewhere"})
    with pytest.raises(stnkit.errors.DataError, match=r"dataset\.root=elsewhere"):
        run.data.fixed("test")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda told: "{", stnkit.errors.InputError, "its metrics.json is damaged"),
        (
            lambda told: json.dumps({"status": "running"}),
            stnkit.errors.InputError,
            "expected a config in its metrics",
        ),
        (
            lambda told: told.replace('"epochs"', '"eras"'),
            stnkit.errors.InputError,
            "does not fit this version",
        ),
        (
            lambda told: told.replace('"placement"', '"place"'),
            stnkit.errors.InputError,
            "does not fit this version",
        ),
        (
            lambda told: told.replace('"paper_fcn"', '"gone"'),
            stnkit.errors.UnknownNameError,
            "there is no network 'gone'",
        ),
        (
            lambda told: told.replace("16\n", "17\n"),
            stnkit.errors.CheckpointError,
            "does not fit the config of its run",
        ),
    ],
)
@pytest.mark.no_jaxtyping
def test_a_run_that_cannot_be_loaded_says_why(change, error, message, sweep, tmp_path):
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "checkpoints").symlink_to(sweep / "ok" / "1" / "checkpoints")
    before = (sweep / "ok" / "1" / "metrics.json").read_text()
    (run_dir / "metrics.json").write_text(change(before))
    assert change(before) != before
    with pytest.raises(error, match=message):
        stnkit.load_run(run_dir)


@pytest.mark.no_jaxtyping
def test_a_folder_without_run_or_checkpoint_is_refused(sweep, tmp_path):
    with pytest.raises(stnkit.errors.InputError, match=r"expected a run directory, got .*, which has no metrics\.json"):
        stnkit.load_run(tmp_path)
    with pytest.raises(stnkit.errors.CheckpointError, match="there is no checkpoint"):
        stnkit.load_run(sweep / "bad" / "0")
    with pytest.raises(stnkit.errors.InputError, match=r"^run_dir: expected a path, got NoneType$"):
        stnkit.load_run(None)
    with pytest.raises(stnkit.errors.InputError, match=r"^dataset: expected a mapping of options, got int$"):
        stnkit.load_run(sweep / "ok" / "1", dataset=5)
