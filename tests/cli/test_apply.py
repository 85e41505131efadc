"""`stnkit apply`: files through the transformer of a trained run, with θ and the matrix in pixels beside them."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import map_coordinates

import stnkit
from stnkit.experiments.rectification import apply
from tests.cli.applied import pixels_of, rows_of, smooth
from tests.helpers import QUICK, trained


@pytest.fixture(scope="module")
def tps_run(tmp_path_factory):
    """The directory of a run whose transform has no matrix."""
    return trained(tmp_path_factory.mktemp("tps"), *QUICK, "transform=tps", "training.epochs=1")


def test_a_folder_is_rectified_with_tables_and_overlay(quick_run, files, applied, tmp_path):
    code, out, err = applied(files, "--output", "out", "--overlay")
    assert (code, err) == (0, "")
    assert out.startswith("20 files rectified, 0 failed\n")
    rows, run = rows_of(tmp_path / "out"), stnkit.load_run(quick_run)
    names = sorted(path.relative_to(files).as_posix() for path in files.rglob("*.png"))
    assert [row["file"] for row in rows] == names
    for row in rows[:3]:
        given = pixels_of(files / row["file"])
        planes = torch.from_numpy(given.astype(np.uint8)).view(*given.shape[:2], -1).movedim(-1, 0)
        expected = run.rectify(planes)
        np.testing.assert_array_equal(
            pixels_of(tmp_path / "out" / row["output"]), expected.image.movedim(0, -1).squeeze()
        )
        np.testing.assert_allclose(row["theta"], expected.theta, atol=1e-6)
        assert int(row["prediction"]) == expected.prediction
        assert float(row["score"]) == pytest.approx(expected.score, abs=1e-6)
        assert float(row["outside"]) == pytest.approx(expected.outside, abs=1e-3)
        assert row["in_size"] == row["out_size"] == list(given.shape[:2])
    told = json.loads((tmp_path / "out" / "theta.json").read_text())
    assert [row["theta"] for row in told["rows"]] == [row["theta"] for row in rows]
    with Image.open(tmp_path / "out" / "overlay" / names[0]) as drawn:
        assert drawn.mode == "RGB"
        assert ((np.asarray(drawn) == (255, 127, 14)).all(axis=-1)).mean() > 0.01


def test_opencv_makes_the_same_picture_of_the_first_row(files, applied, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="`make test` installs it")
    assert applied(files, "--output", "out", "--size", "70", "50")[0] == 0
    row = rows_of(tmp_path / "out")[0]
    given, ours = pixels_of(files / row["file"]).astype(np.float32), pixels_of(tmp_path / "out" / row["output"])
    inverse = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    for name, flags in (("matrix_opencv_inverse", inverse), ("matrix_opencv", cv2.INTER_LINEAR)):
        theirs = cv2.warpPerspective(given, np.array(row[name]), (50, 70), flags=flags)
        assert np.abs(ours - theirs)[2:-2, 2:-2].max() <= 1
    naive = cv2.warpPerspective(given, np.array(row["matrix_opencv"]), (50, 70), flags=inverse)
    assert np.abs(ours - naive)[2:-2, 2:-2].max() > 5


def test_pillow_makes_the_same_picture_of_its_matrix(files, applied, tmp_path):
    assert applied(files, "--output", "out", "--scale", "0.9")[0] == 0
    row = rows_of(tmp_path / "out")[0]
    coefficients = np.ravel(row["matrix_pillow"])[:6]
    with Image.open(files / row["file"]) as given:
        size = tuple(row["out_size"][::-1])
        theirs = given.transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
    ours = pixels_of(tmp_path / "out" / row["output"])
    assert np.abs(ours - np.asarray(theirs))[2:-2, 2:-2].max() <= 1


@pytest.mark.training
def test_maps_are_those_of_opencv_and_only_without_matrices(tps_run, files, stnkit_main, tmp_path):
    assert stnkit_main("apply", tps_run, files, "--output", "out", "--size", "40", "50", "--maps")[0] == 0
    row = rows_of(tmp_path / "out")[0]
    pixels = np.load(tmp_path / "out" / "maps" / f"{row['file']}.npy")
    assert (pixels.shape, pixels.dtype, row["matrix_opencv"]) == ((40, 50, 2), np.float32, "")
    given, ours = pixels_of(files / row["file"]), pixels_of(tmp_path / "out" / row["output"])
    given = given.reshape(*given.shape[:2], -1)[..., 0]
    theirs = map_coordinates(given, [pixels[..., 1], pixels[..., 0]], order=1, mode="constant")
    inside = (pixels > 1).all(-1) & (pixels < np.subtract(given.shape[::-1], 2)).all(-1)
    assert inside.sum() > 500
    assert np.abs(ours.reshape(40, 50, -1)[..., 0] - theirs)[inside].max() <= 0.51


def test_an_array_gives_an_array_of_its_axes(quick_run, applied, tmp_path):
    images = np.stack([smooth(50, 60), smooth(50, 60).T[:50, :60].copy().repeat(2, 1)[:50, :60]])
    np.save(tmp_path / "some.npy", images)
    assert applied("some.npy", "--output", "out", "--scale", "0.5")[0] == 0
    found, rows = np.load(tmp_path / "out" / "some.npy"), rows_of(tmp_path / "out")
    assert (found.shape, found.dtype) == ((2, 25, 30), np.uint8)
    expected = stnkit.load_run(quick_run).rectify(torch.from_numpy(images[1:]), scale=0.5)
    np.testing.assert_array_equal(found[1], expected.image[0])
    assert [row["index"] for row in rows] == ["0", "1"]


def test_files_that_are_left_out_are_told_once(files, applied):
    (files / "99.heic").touch()
    code, out, err = applied(files, "--output", "out")
    assert (code, out.splitlines()[0]) == (0, "20 files rectified, 0 failed")
    assert err == f"stnkit apply: left out 1 other file, such as {files}/99.heic\n"


def test_maps_of_a_transform_with_matrices_are_told_to_be_none(files, applied, tmp_path):
    code, out, err = applied(files / "01.png", "--output", "out", "--maps")
    assert (code, out.splitlines()[0]) == (0, "1 file rectified, 0 failed")
    told = "--maps wrote no map: the transform has a matrix for each image, which the tables hold"
    assert err == f"stnkit apply: {told}\n"
    assert not (tmp_path / "out" / "maps").exists()


def test_images_that_a_rotation_shears_are_told_once(files, applied, monkeypatch):
    monkeypatch.setattr(apply, "n_sheared", lambda rectifier, rows: len(list(rows)))
    code, out, err = applied(files / "01.png", files / "02.png", "--output", "out")
    assert (code, out.splitlines()[0]) == (0, "2 files rectified, 0 failed")
    assert err == (
        "stnkit apply: images of another aspect than the view of the network: 2; a rotation of the stretched "
        "view shears them, which dataset.fit=pad or crop in the training of a folder avoids\n"
    )
