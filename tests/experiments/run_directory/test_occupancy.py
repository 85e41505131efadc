"""A new run destroys no results, and overwriting deletes what a run wrote and nothing else."""

import json

import pytest

from stnkit.experiments.run_directory.occupancy import OccupiedError, check_free, delete_run
from tests.helpers import metrics


def record(folder, text):
    (folder / "metrics.json").write_text(text)


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"metrics.json": '{"status": "completed"}'}, "a run that is completed"),
        ({"metrics.json": '{"status": "running"}'}, "a run that died"),
        ({"metrics.json": '{"status": "interrupted"}'}, "a run that was interrupted"),
        ({"metrics.json": '{"status": "comp'}, "a damaged metrics.json"),
        ({"metrics.json": '{"mine": 1}'}, "a metrics.json that is not of a run"),
        ({"checkpoints/last.ckpt": ""}, "a checkpoint without its metrics.json"),
        ({"config.yaml": "mine: 1"}, "a config.yaml that is not of a run"),
    ],
)
def test_what_a_run_would_destroy_is_named(files, what, tmp_path):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(OccupiedError, match=f"holds {what}: skip_completed=true keeps"):
        check_free(tmp_path)


@pytest.mark.parametrize("files", [{}, {"metrics.json": '{"status": "failed"}'}, {"notes.txt": "", "a.png": ""}])
def test_a_failed_run_and_other_files_are_no_results(files, tmp_path):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    check_free(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_deleting_leaves_what_no_run_has_written(copy_of_quick_run):
    own = ["a.png", "csv_notes.txt", "csv_data/a", "checkpoints/mine.ckpt", "csv-resumed-1.bak"]
    for name in own:
        (copy_of_quick_run / name).parent.mkdir(exist_ok=True)
        (copy_of_quick_run / name).write_text("")
    (copy_of_quick_run / "csv-resumed-1").symlink_to(copy_of_quick_run / "csv_data")
    delete_run(copy_of_quick_run)
    left = {str(p.relative_to(copy_of_quick_run)) for p in copy_of_quick_run.rglob("*") if p.is_file()}
    assert set(own) <= left
    assert all(name in own or name.startswith(".hydra/") or name in (".lock", "train.log") for name in left)
    check_free(copy_of_quick_run)


@pytest.mark.training
def test_a_mistake_in_the_options_deletes_nothing(copy_of_quick_run, stnkit_main):
    before = {path: path.read_bytes() for path in copy_of_quick_run.rglob("*") if path.is_file()}
    code, _, err = stnkit_main("train", "hydra.run.dir=run", "overwrite=true", "training.batch_size=0")
    assert code == 2
    assert "training.batch_size: expected a number of at least 1, got 0" in err
    assert metrics(copy_of_quick_run)["status"] == "completed"
    kept = {path: data for path, data in before.items() if ".hydra" not in path.parts and path.name != "train.log"}
    assert {path: path.read_bytes() for path in kept} == kept
    assert json.loads((copy_of_quick_run / "metrics.json").read_text())["test_error"] >= 0
