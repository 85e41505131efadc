"""`stnkit apply` where two results would have one name, or a result cannot be made or written."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from stnkit.experiments.rectification.rectifier import Rectifier


@pytest.fixture
def applied(quick_run, stnkit_main, tmp_path):
    """Draws pictures of these names, runs the command on them, and returns the exit code and the errors."""

    def run(*names, options=(), output="out"):
        for i, name in enumerate(names):
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((20, 20 + i), 40 * i, np.uint8)).save(path)
        code, _, err = stnkit_main("apply", quick_run, "photos", "--output", output, *options)
        return code, err

    return run


@pytest.mark.parametrize(
    ("names", "made"),
    [
        (["a.jpg", "a.jpg.png"], "overlay/a.jpg.png: of a.jpg and of a.jpg.png"),
        (["a.png", "overlay/a.png"], "overlay/a.png: of overlay/a.png and of a.png"),
    ],
)
def test_two_files_of_one_name_are_refused(names, made, applied, tmp_path):
    assert applied(*names, options=["--overlay"]) == (
        2,
        f"stnkit apply: expected one file for each name of a result, got two for {made}\n",
    )
    assert not (tmp_path / "out").exists()
    assert applied(*names) == (0, "")


@pytest.mark.parametrize("together", [True, False])
def test_a_result_as_png_takes_no_other_result_s_name(together, applied, tmp_path):
    if not together:  # a command on files that came later
        assert applied("a.gif.png") == (0, "")
    code, err = applied("a.gif.png", "a.gif")
    assert code == 1
    assert err == "stnkit apply: a.gif: expected a name for its result, a.gif.png, that no other file has\n"
    with Image.open(tmp_path / "out" / "a.gif.png") as image:
        assert image.size == (20, 20)
    rows = json.loads((tmp_path / "out" / "theta.json").read_text())["rows"]
    assert [row.get("output") for row in rows] == [None, "a.gif.png"]


def test_a_folder_that_cannot_be_made_is_one_sentence(applied, tmp_path):
    (tmp_path / "file").touch()
    code, err = applied("a.png", output="file/out")
    assert code == 2
    assert err == "stnkit apply: output: expected a folder that can be written, got file/out: Not a directory\n"


def test_an_array_with_nan_is_a_row_with_its_reason(applied, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    images = np.zeros((3, 1, 28, 28), np.float32)
    images[1, 0, 5, 5] = np.nan
    np.save(folder / "a.npy", images)
    code, err = applied()
    assert code == 1
    assert err == "stnkit apply: a.npy: expected finite images, got NaN or infinity in image 1\n"
    assert not (tmp_path / "out" / "a.npy").exists()


def test_a_network_that_has_diverged_gives_rows_with_a_reason(applied, tmp_path, monkeypatch):
    located = Rectifier.locate

    def diverged(self, views):
        return [found._replace(theta=torch.full_like(found.theta, torch.nan)) for found in located(self, views)]

    monkeypatch.setattr(Rectifier, "locate", diverged)
    code, err = applied("a.png")
    assert code == 1
    assert err == "stnkit apply: a.png: expected a finite θ from the network, got NaN or infinity\n"
    assert not (tmp_path / "out" / "a.png").exists()
