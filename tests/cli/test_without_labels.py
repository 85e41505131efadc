"""Images without labels: alignment and registration learn from them, and classification says what it lacks."""

import csv
import json

import numpy as np
import pytest

from tests.helpers import write_tree

QUICK = ["training.epochs=1", "training.progress=false", "localizer=fully_connected"]

pytestmark = [pytest.mark.training, pytest.mark.no_jaxtyping]


@pytest.fixture(autouse=True)
def _images(tmp_path, monkeypatch):
    """photos/ with folders for splits, images.npy, and pairs.npy with the channels last."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STNKIT_CACHE", str(tmp_path / "cache"))
    write_tree(tmp_path / "photos", ("a", "b"))
    draws = np.random.default_rng(0)
    np.save("images.npy", draws.integers(0, 255, (60, 20, 24, 3)).astype("uint8"))
    np.save("pairs.npy", draws.integers(0, 255, (60, 20, 24, 6)).astype("uint8"))


ARRAYS = ["dataset=arrays", "dataset.images=images.npy", "dataset.targets=none"]
FOLDER = ["dataset=folder", "dataset.root=photos", "dataset.labels=false"]


@pytest.mark.parametrize("dataset", [ARRAYS, FOLDER], ids=["arrays", "folder"])
def test_alignment_learns_from_images_alone(dataset, stnkit_main, tmp_path):
    more = ["objective=alignment", "distortion=rotation", "hydra.run.dir=run"]
    code, _, err = stnkit_main("train", *dataset, *more, *QUICK)
    assert code == 0, err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["test_variance"] > 0
    assert metrics["rectified_variance"] > 0
    code, _, err = stnkit_main("evaluate", "run")
    assert code == 0, err
    code, _, err = stnkit_main("apply", "run", "photos/test", "--output", "straight")
    assert code == 0, err
    with (tmp_path / "straight" / "theta.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == 4
    assert {row["prediction"] for row in rows} == {""}


def test_classes_that_nothing_was_learned_of_may_be_others(stnkit_main, tmp_path):
    write_tree(tmp_path / "others", ("q", "r", "s"))
    with_labels = ["dataset=folder", "dataset.root=photos", "objective=alignment", "distortion=rotation"]
    code, _, err = stnkit_main("train", *with_labels, "hydra.run.dir=run", *QUICK)
    assert code == 0, err
    code, _, err = stnkit_main("evaluate", "run", "dataset.root=others")
    assert code == 0, err


def test_registration_learns_from_pairs_alone(stnkit_main, tmp_path):
    more = ["dataset.pair=true", "objective=registration", "hydra.run.dir=run"]
    code, _, err = stnkit_main(
        "train", "dataset=arrays", "dataset.images=pairs.npy", "dataset.targets=none", *more, *QUICK
    )
    assert code == 0, err
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["dataset"]["image_shape"] == [6, 20, 24]


@pytest.mark.parametrize(("dataset", "name"), [(ARRAYS, "Arrays"), (FOLDER, "Folder")], ids=["arrays", "folder"])
def test_classification_says_that_labels_are_missing(dataset, name, stnkit_main):
    code, _, err = stnkit_main("train", *dataset, "hydra.run.dir=run", *QUICK)
    assert code == 2
    assert err == f"stnkit train: objective=classification: expected labels, one for each image, got none from {name}\n"
