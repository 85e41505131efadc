"""examples/signs draws the same folder every time, of all signs in all splits, and a transformer trains on it."""

import itertools
import runpy
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.helpers import ROOT, metrics

pytestmark = pytest.mark.slow  # the images that its fixture makes

FOLDER = ROOT / "examples" / "signs"
COUNTS = {"train": 2, "validation": 1, "test": 1}


@pytest.fixture(scope="module")
def programs():
    """The names that the three files of the program define."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield {name: value for stem in ("faces", "scenes", "draw") for name, value in _names(stem).items()}
        for stem in ("faces", "scenes"):
            patch.delitem(sys.modules, stem)


def _names(stem):
    return runpy.run_path(str(FOLDER / f"{stem}.py"))


@pytest.fixture(scope="module")
def drawn(programs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "signs"
    programs["draw"](folder, COUNTS)
    return folder


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.png")}


def test_every_split_has_every_sign(drawn, programs):
    assert len(programs["NAMES"]) == len(set(programs["NAMES"])) == 12
    expected = {f"{s}/{n}/{i:04}.png" for s, k in COUNTS.items() for n in programs["NAMES"] for i in range(k)}
    assert contents(drawn).keys() == expected
    for path in drawn.rglob("*.png"):
        with Image.open(path) as image:
            assert (image.size, image.mode) == ((96, 96), "RGB")


@pytest.mark.slow
def test_an_image_does_not_depend_on_the_number_of_images(drawn, programs, tmp_path):
    programs["draw"](tmp_path / "fewer", dict.fromkeys(COUNTS, 1))
    fewer, more = contents(tmp_path / "fewer"), contents(drawn)
    assert fewer.items() <= more.items()
    assert len(set(more.values())) == len(more)


def test_corners_are_recorded_in_pixels_of_each_image(drawn):
    rows = np.genfromtxt(drawn / "corners.csv", delimiter=",", skip_header=1, dtype=str)
    assert {*rows[:, 0]} == contents(drawn).keys()
    corners = rows[:, 1:].astype(float).reshape(-1, 4, 2)
    assert ((corners >= 0) & (corners <= 96)).all()
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).mean(axis=1)
    assert 14 < sides.min() < sides.max() < 34


def test_a_picture_is_pasted_at_its_corners(programs):
    for seed in range(5):
        painter = programs["Painter"]([], (0, 1), np.random.default_rng(seed))
        canvas = Image.new("RGB", (288, 288))
        corners = painter.paste(canvas, Image.new("RGBA", (128, 128), "white"), 24, inside=True)
        y, x = np.nonzero(np.asarray(canvas).max(axis=-1) > 60)
        edges = x.min(), y.min(), x.max() + 1, y.max() + 1
        np.testing.assert_allclose(edges, [*corners.min(axis=0), *corners.max(axis=0)], atol=2)
        assert len(x) == pytest.approx(cv2.contourArea(corners.astype(np.float32)), rel=0.03)


@pytest.mark.slow
def test_another_seed_draws_other_images(drawn, programs, tmp_path):
    programs["draw"](tmp_path / "other", dict.fromkeys(COUNTS, 1), seed=1)
    assert not set(contents(tmp_path / "other").values()) & set(contents(drawn).values())


def test_no_two_faces_are_alike(programs):
    faces = {name: np.asarray(programs["face"](name)).astype(float) for name in programs["NAMES"]}
    for one, other in itertools.combinations(faces, 2):
        assert (np.abs(faces[one] - faces[other]).max(axis=-1) > 128).mean() > 0.01, (one, other)


def test_left_and_right_are_mirror_images(programs):
    for left, right in (("left", "right"), ("half_left", "half_right"), ("bend_left", "bend_right")):
        mirrored = np.asarray(programs["face"](right)).astype(float)[:, ::-1]
        assert np.abs(np.asarray(programs["face"](left)) - mirrored).mean() < 2


def test_the_homography_is_that_of_opencv(programs):
    draws = np.random.default_rng(0)
    for _ in range(20):
        source = 64 * programs["SQUARE"] + draws.uniform(-16, 16, (4, 2))
        target = 128 * programs["SQUARE"] + draws.uniform(-16, 16, (4, 2))
        expected = cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))
        np.testing.assert_allclose([*programs["homography"](source, target), 1], expected.ravel(), atol=1e-4)


def test_backgrounds_of_two_splits_have_no_column_in_common(programs):
    columns = np.arange(200, dtype=np.uint8)
    photograph = Image.fromarray(np.broadcast_to(columns, (100, 200)).copy())
    shown = {}
    for split, (_, part) in programs["SPLITS"].items():
        painter = programs["Painter"]([photograph], part, np.random.default_rng(0))
        pixels = np.stack([np.asarray(painter.background()) for _ in range(50)])
        shown[split] = pixels.min(), pixels.max()
    assert shown["train"][1] <= shown["validation"][0] + 1
    assert shown["validation"][1] <= shown["test"][0] + 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["."], "folder: expected a new one, got ."),
        (["new", "--test=0"], "expected at least 1 image of each sign"),
        (["new", "--seed=-1"], "a seed of at least 0"),
    ],
)
def test_a_mistake_is_one_sentence_and_draws_nothing(arguments, sentence, programs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["draw.py", *arguments])
    with pytest.raises(SystemExit, match="2"):
        programs["main"]()
    assert sentence in capsys.readouterr().err.splitlines()[-1]
    assert not [*tmp_path.iterdir()]


@pytest.mark.process
@pytest.mark.training
def test_the_command_draws_a_folder_that_trains(stnkit_main):
    counts = [f"--{split}={count}" for split, count in COUNTS.items()]
    command = [sys.executable, FOLDER / "draw.py", "signs", *counts]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == "signs: 48 images of 12 signs\n"
    code, _, err = stnkit_main(
        "train",
        *("dataset=folder", "dataset.root=signs", "network=resnet", "network.blocks=[1,1,1]", "out_size=[32,32]"),
        *("localizer.batch_norm=true", "training.epochs=1", "training.progress=false", "hydra.run.dir=run"),
    )
    assert (code, err) == (0, "")
    assert metrics("run")["history"][0]["validation_theta_distance"] > 0
