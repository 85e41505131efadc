"""A trained run whose folder of images has moved, or has other classes now."""

import csv
import json
import shutil

import onnx
import pytest
from PIL import Image

import stnkit
from tests.helpers import FOLDER_OPTIONS, write_tree

pytestmark = [pytest.mark.training, pytest.mark.no_jaxtyping]


@pytest.fixture
def upright(tmp_path, stnkit_main, monkeypatch):
    """The predictions of the run `upright`, trained on photos/, for an image file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STNKIT_CACHE", str(tmp_path / "cache"))
    write_tree(tmp_path / "photos", ("cat", "dog"))
    data = ("dataset=folder", "dataset.root=photos")
    code, _, err = stnkit_main("train", *data, "hydra.run.dir=upright", *FOLDER_OPTIONS)
    assert code == 0, err
    Image.new("RGB", (24, 20), (90, 30, 0)).save("seen.png")

    def predicted(output):
        code, _, err = stnkit_main("apply", "upright", "seen.png", "--output", output)
        assert code == 0, err
        with (tmp_path / output / "theta.csv").open(newline="") as file:
            (row,) = csv.DictReader(file)
        return row["prediction"], row["score"]

    return predicted


def told(result):
    code, _, err = result
    assert code == 2
    assert "Traceback" not in err
    return err


def test_apply_names_the_classes_of_the_training(upright, stnkit_main, tmp_path):
    before = upright("before")
    (tmp_path / "moved").mkdir()
    for split in ("train", "validation", "test"):  # zebra comes behind dog, cat stood in front of it
        (tmp_path / "photos" / split / "cat").rename(tmp_path / "photos" / split / "zebra")
    assert upright("renamed") == before
    other = "expected class 0 to be cat, as in the training of the run, got dog"
    assert other in told(stnkit_main("evaluate", "upright"))
    assert other in told(stnkit_main("export", "upright", "--output", "renamed.onnx"))
    assert not (tmp_path / "renamed.onnx").exists()
    assert stnkit.load_run("upright").data.dataset.class_names == ("cat", "dog")
    with pytest.raises(stnkit.errors.InputError, match=other):
        stnkit.load_run("upright", dataset={"root": "photos"})


def test_a_class_more_is_no_matter_for_apply(upright, stnkit_main, tmp_path):
    before = upright("before")
    for split in ("train", "validation", "test"):
        shutil.copytree(tmp_path / "photos" / split / "cat", tmp_path / "photos" / split / "emu")
    assert upright("more") == before
    err = told(stnkit_main("evaluate", "upright"))
    assert "expected a dataset of 2 classes, as the run was trained on, got 3" in err


def test_a_folder_that_is_divided_since_is_no_matter_for_apply(upright, stnkit_main, tmp_path):
    before = upright("before")
    shutil.rmtree(tmp_path / "photos" / "test")
    assert upright("divided") == before
    assert "there is no test" in told(stnkit_main("evaluate", "upright"))


def test_a_record_of_before_is_compared_with_nothing(upright, stnkit_main, tmp_path):
    before = upright("before")
    path = tmp_path / "upright" / "metrics.json"
    record = json.loads(path.read_text())
    assert record.pop("dataset") == {
        "image_shape": [3, 20, 24],
        "n_classes": 2,
        "target_shape": None,
        "pair": False,
        "uses_labels": True,
        "value_range": [0, 1],
        "fit": "stretch",
        "background": [0, 0, 0],
    }
    path.write_text(json.dumps(record))
    shutil.copytree(tmp_path / "photos", tmp_path / "elsewhere")
    assert stnkit.load_run("upright", dataset={"root": "elsewhere"}).data.dataset.n_classes == 2
    assert upright("after") == before
    shutil.rmtree(tmp_path / "photos")
    assert "that folder does not exist" in told(stnkit_main("apply", "upright", "seen.png", "--output", "gone"))
    code, _, err = stnkit_main("train", "resume=upright", "training.epochs=2", "dataset.root=elsewhere")
    assert code == 0, err
    assert json.loads(path.read_text())["dataset"]["n_classes"] == 2


def test_pictures_of_other_classes_are_not_those_of_a_run(upright, stnkit_main, tmp_path):
    upright("before")
    for split in ("train", "validation", "test"):
        (tmp_path / "photos" / split / "cat").rename(tmp_path / "photos" / split / "zebra")
    data = ("dataset=folder", "dataset.root=photos", "seed=1")
    code, _, err = stnkit_main("train", *data, "hydra.run.dir=second", *FOLDER_OPTIONS, "localizer=convolutional")
    assert code == 0, err
    code, _, err = stnkit_main("report", "second", "upright", "--html", "page.html")
    assert code == 0, err
    page = (tmp_path / "page.html").read_text()
    assert "no pictures of upright: dataset: expected class 0 to be cat" in page
    assert "zebra" in page


def test_images_of_another_size_are_refused_by_their_size(upright, tmp_path):
    Image.new("RGB", (30, 20)).save("large.png")
    for path in (tmp_path / "photos").rglob("*.png"):
        shutil.copy("large.png", path)
    sizes = r"expected images of shape \[3, 20, 24\], as the run was trained on, got \[3, 20, 30\]"
    with pytest.raises(stnkit.errors.InputError, match=sizes):
        stnkit.load_run("upright", dataset={"root": "photos"})
    run = stnkit.load_run("upright")
    with pytest.raises(stnkit.errors.InputError, match=sizes):
        run.data.split("test")


def test_a_run_is_applied_and_exported_without_its_old_place(upright, stnkit_main, tmp_path):
    before = upright("before")
    shutil.move(tmp_path / "photos", tmp_path / "elsewhere")
    assert upright("moved") == before
    missing = (
        "dataset.root=photos: that folder does not exist; dataset.root=DIR chooses one; stnkit export --root DIR says"
    )
    assert missing in told(stnkit_main("export", "upright", "--output", "a.onnx"))
    code, _, err = stnkit_main("export", "upright", "--output", "a.onnx", "--root", "elsewhere")
    assert code == 0, err
    metadata = {each.key: each.value for each in onnx.load("a.onnx").metadata_props}
    assert metadata["stnkit.classes"] == '["cat", "dog"]'
    where = ("--root", "elsewhere", "--runtime", "onnxruntime")
    code, out, err = stnkit_main("export", "--check", "a.onnx", "upright", *where)
    assert (code, err) == (0, ""), out
