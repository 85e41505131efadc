"""A run is resumed on the data that it was trained on."""

import shutil

import pytest

from stnkit.errors import DataError
from stnkit.experiments.run_directory.record import check_same_data
from tests.helpers import FOLDER_OPTIONS, write_tree


def test_values_that_were_not_recorded_are_not_compared():
    check_same_data({}, class_names=["a"])
    check_same_data({"class_names": ["a"]}, class_names=["a"])
    with pytest.raises(DataError, match="expected the data that the run was trained on, n_images 3, got 4"):
        check_same_data({"n_images": 3}, n_images=4)


@pytest.mark.training
@pytest.mark.no_jaxtyping
def test_other_data_are_refused_and_moved_data_are_not(tmp_path, stnkit_main, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STNKIT_CACHE", str(tmp_path / "cache"))
    write_tree(tmp_path / "old", ("a", "b"))
    write_tree(tmp_path / "other", ("q", "z"))
    write_tree(tmp_path / "more", ("a", "b"), n=13)
    code, _, err = stnkit_main("train", "dataset=folder", "dataset.root=old", "hydra.run.dir=run", *FOLDER_OPTIONS)
    assert code == 0, err
    recorded = (tmp_path / "run" / "metrics.json").read_text()
    class_0 = "resume: expected class 0 to be a, as in the training of the run, got q"
    for root, told in (("other", class_0), ("more", "got {'train': 26")):
        code, _, err = stnkit_main("train", "resume=run", "training.epochs=2", f"dataset.root={root}")
        assert code == 2
        assert told in err
        assert "Traceback" not in err
        assert (tmp_path / "run" / "metrics.json").read_text() == recorded
    shutil.move(tmp_path / "old", tmp_path / "new")
    code, _, err = stnkit_main("evaluate", "run", "dataset.root=new")
    assert code == 0, err
    killed_while_writing = tmp_path / "run" / ".metrics.json-0a1b2c"
    killed_while_writing.write_text('{"status": "runn')
    code, _, err = stnkit_main("train", "resume=run", "training.epochs=2", "dataset.root=new")
    assert code == 0, err
    assert not killed_while_writing.exists()
