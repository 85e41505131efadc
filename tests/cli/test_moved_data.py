"""Runs whose data lie in another place than when they began."""

import json
import shutil

import pytest

from tests.helpers import QUICK, metrics

DATASET = """
from pathlib import Path
import stnkit

class Stored(stnkit.Dataset):
    '''Digits that can be read only where the folder `root` is.'''
    run_control_options = ("root",)

    def __init__(self, root: str = "data", inverted: bool = False):
        self.digits = stnkit.build("dataset", "digits")
        self.n_classes, self.image_shape = self.digits.n_classes, self.digits.image_shape
        self.root, self.inverted = Path(root), inverted

    def split(self, name):
        if not self.root.is_dir():
            raise stnkit.errors.DataError(f"there is no {self.root}")
        images, labels = self.digits.split(name)
        return (255 - images if self.inverted else images), labels

@stnkit.hookimpl
def stnkit_components():
    yield stnkit.Component("stored", Stored)
"""
TRAIN = ["train", *QUICK, "training.epochs=1", "placement=none", "dataset=stored"]

pytestmark = pytest.mark.training


@pytest.fixture
def moved(make_distribution, stnkit_main, tmp_path):
    """A completed run, run/, whose data went from here/ to there/ afterwards."""
    make_distribution("stores", {"stored_digits": DATASET}, {"dataset.stored": "stored_digits"})
    (tmp_path / "here").mkdir()
    code, _, err = stnkit_main(*TRAIN, "dataset.root=here", "hydra.run.dir=run")
    assert code == 0, err
    shutil.move(tmp_path / "here", tmp_path / "there")
    return metrics("run")


def test_a_run_is_resumed_with_its_data_in_another_place(moved, stnkit_main, tmp_path):
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(moved | {"status": "interrupted"}))
    code, _, err = stnkit_main("train", "resume=run", "dataset.root=there", "dataset.inverted=true")
    assert code == 2
    assert "dataset.inverted: expected False as in resume=run, got True" in err
    code, _, err = stnkit_main("train", "resume=run")
    assert code == 2
    assert "there is no here" in err
    (tmp_path / "run" / "metrics.json").write_text(json.dumps(moved | {"status": "interrupted"}))
    # A group may be repeated: its options have the defaults of now, and only those that are given count.
    code, _, err = stnkit_main("train", "resume=run", "dataset=stored", "dataset.root=there")
    assert code == 0, err
    assert metrics("run")["test_loss"] == moved["test_loss"]
    assert metrics("run")["config"]["dataset"]["root"] == "there"


def test_a_completed_job_is_skipped_wherever_its_data_lie(moved, stnkit_main):
    code, out, err = stnkit_main(*TRAIN, "dataset.root=there", "hydra.run.dir=run", "skip_completed=true")
    assert code == 0, err
    assert "(already completed)" in out
    code, _, err = stnkit_main(
        *TRAIN, "dataset.root=there", "dataset.inverted=true", "hydra.run.dir=run", "skip_completed=true"
    )
    assert code == 2
    assert "run holds a run that is completed" in err


def test_a_moved_run_is_loaded_and_reported_with_its_like(moved, stnkit_main):
    import stnkit

    shape = stnkit.load_run("run", dataset={"root": "there"}).data.fixed("test").images.shape
    assert shape[0] == 400
    code, _, err = stnkit_main(*TRAIN, "dataset.root=there", "seed=1", "hydra.run.dir=other")
    assert code == 0, err
    code, out, _ = stnkit_main("report", "run", "other", "--format=json")
    assert code == 0
    (cell,) = json.loads(out)["cells"]
    assert [run["seed"] for run in cell["runs"]] == [1, 0]
