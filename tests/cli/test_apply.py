"""`stnkit apply`: files through the transformer of a trained run, with θ and the matrix in pixels beside them."""

import csv
import json
import re
import signal

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import map_coordinates

import stnkit
from stnkit.experiments.rectification.deep_png import encode_deep
from stnkit.experiments.rectification.journal import Journal
from stnkit.experiments.rectification.pictures import read_picture
from tests.helpers import QUICK, trained

# Modes of Pillow with a format that holds them, and the number of channels.
KINDS = {"L": ("png", 1), "RGB": ("png", 3), "RGBA": ("png", 4), "LA": ("png", 2), "I;16": ("tiff", 1)}


def smooth(height, width, channels=1, *, dtype=np.uint8):
    """A picture of slow waves in the whole range of a dtype."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = [np.sin(5 * x + 3 * y * (k + 1) + k) for k in range(channels)]
    largest = np.iinfo(dtype).max
    return (largest * (0.5 + 0.45 * np.stack(waves, axis=-1))).round().astype(dtype).squeeze()


def rows_of(folder):
    """The rows of theta.csv, with lists read from their cells."""
    with (folder / "theta.csv").open(newline="") as file:
        return [{name: json.loads(v) if v[:1] == "[" else v for name, v in row.items()} for row in csv.DictReader(file)]


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image).astype(np.float64)


@pytest.fixture
def files(tmp_path):
    """Twenty PNG files of mixed sizes, some in a folder of their own."""
    for i in range(20):
        path = tmp_path / "photos" / ("more" if i % 5 == 0 else "") / f"{i:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(smooth(30 + 7 * i, 90 - 3 * i, 3 if i % 2 else 1)).save(path)
    return tmp_path / "photos"


@pytest.fixture(scope="module")
def tps_run(tmp_path_factory):
    """The directory of a run whose transform has no matrix."""
    return trained(tmp_path_factory.mktemp("tps"), *QUICK, "transform=tps", "training.epochs=1")


@pytest.fixture
def applied(quick_run, stnkit_main):
    """Runs the command and returns the exit code, the output and the errors."""

    def run(*arguments):
        return stnkit_main("apply", quick_run, *arguments)

    return run


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


@pytest.mark.parametrize("mode", KINDS)
def test_a_file_keeps_its_mode_and_bit_depth(mode, quick_run, applied, tmp_path):
    ending, channels = KINDS[mode]
    given = smooth(40, 50, channels, dtype=np.uint16 if "16" in mode else np.uint8)
    Image.fromarray(given, mode if mode == "LA" else None).save(tmp_path / f"a.{ending}", icc_profile=b"profile")
    assert applied(f"a.{ending}", "--output", "out")[0] == 0
    with Image.open(tmp_path / "out" / f"a.{ending}") as image:
        assert (image.mode, image.size, image.info["icc_profile"]) == (mode, (50, 40), b"profile")
        found = np.asarray(image).astype(np.float64)
    matrix = np.array(rows_of(tmp_path / "out")[0]["matrix_opencv_inverse"])
    x, y = np.meshgrid(np.arange(50), np.arange(40))
    xs, ys, _ = np.einsum("ij,jhw->ihw", matrix, np.stack([x, y, np.ones_like(x)]))
    inside = (xs > 1) & (xs < 48) & (ys > 1) & (ys < 38)
    near = given[ys.round().clip(0, 39).astype(int), xs.round().clip(0, 49).astype(int)]
    difference = np.abs(found - near)[inside] / np.iinfo(given.dtype).max
    assert difference.max() < 0.08  # half a pixel of the waves


@pytest.mark.parametrize("channels", [3, 4])
def test_color_of_16_bits_is_read_and_written(channels, applied, tmp_path):
    given = smooth(40, 50, channels, dtype=np.uint16)
    (tmp_path / "a.png").write_bytes(encode_deep(given))
    assert applied("a.png", "--output", "out", "--sampler", "nearest", "--padding", "border")[0] == 0
    picture, _ = read_picture(tmp_path / "out" / "a.png", lambda image, negative: None)
    assert picture.pixels.dtype == np.uint16
    if channels == 3:  # nearest reads pixels as they are
        known = {tuple(pixel) for pixel in given.reshape(-1, 3).tolist()}
        assert {tuple(pixel) for pixel in picture.pixels.reshape(-1, 3).tolist()} <= known


def test_a_transparent_pixel_does_not_bleed_its_color(applied, tmp_path):
    given = np.zeros((60, 60, 4), np.uint8)
    given[:, :30] = (200, 100, 50, 255)
    given[:, 30:] = (0, 255, 0, 0)
    Image.fromarray(given).save(tmp_path / "a.png")
    assert applied("a.png", "--output", "out", "--scale", "1.37")[0] == 0
    found = pixels_of(tmp_path / "out" / "a.png")
    seen = found[found[..., 3] > 8]
    assert 0 < seen[:, 3].min() < 250
    assert np.abs(seen[:, :3] - (200, 100, 50)).max() <= 8


def test_a_jpeg_is_upright_and_keeps_its_quality(applied, tmp_path):
    exif = Image.Exif()
    exif[274], exif[315] = 6, "an artist"
    Image.fromarray(smooth(40, 64, 3)).save(tmp_path / "a.jpg", exif=exif, quality=37, subsampling=2)
    assert applied("a.jpg", "--output", "out")[0] == 0
    with Image.open(tmp_path / "a.jpg") as given, Image.open(tmp_path / "out" / "a.jpg") as found:
        assert found.size == (40, 64)  # turned
        assert (found.getexif().get(274), found.getexif()[315]) == (None, "an artist")
        assert found.quantization == given.quantization


def test_other_formats_become_png(applied, tmp_path):
    Image.fromarray(smooth(40, 50)).save(tmp_path / "a.gif")
    assert applied("a.gif", "--output", "out")[0] == 0
    assert rows_of(tmp_path / "out")[0]["output"] == "a.gif.png"
    with Image.open(tmp_path / "out" / "a.gif.png") as image:
        assert image.format == "PNG"


def test_an_array_gives_an_array_of_its_axes(quick_run, applied, tmp_path):
    images = np.stack([smooth(50, 60), smooth(50, 60).T[:50, :60].copy().repeat(2, 1)[:50, :60]])
    np.save(tmp_path / "some.npy", images)
    assert applied("some.npy", "--output", "out", "--scale", "0.5")[0] == 0
    found, rows = np.load(tmp_path / "out" / "some.npy"), rows_of(tmp_path / "out")
    assert (found.shape, found.dtype) == ((2, 25, 30), np.uint8)
    expected = stnkit.load_run(quick_run).rectify(torch.from_numpy(images[1:]), scale=0.5)
    np.testing.assert_array_equal(found[1], expected.image[0])
    assert [row["index"] for row in rows] == ["0", "1"]


def test_broken_files_are_rows_and_the_exit_code_is_1(applied, files, tmp_path):
    (files / "99.png").write_bytes(b"no image")
    (files / "98.png").write_bytes((files / "01.png").read_bytes()[:300])
    code, out, err = applied(files, "--output", "out")
    assert code == 1
    assert out.startswith("20 files rectified, 2 failed\n")
    assert "stnkit apply: 99.png: Pillow finds no image in it\n" in err
    errors = {row["file"]: row["error"] for row in rows_of(tmp_path / "out") if row["error"]}
    assert errors.keys() == {"98.png", "99.png"}
    assert not (tmp_path / "out" / "98.png").exists()


def test_the_same_command_makes_only_what_is_missing(applied, files, tmp_path):
    (files / "99.png").write_bytes(b"no image")
    assert applied(files, "--output", "out")[0] == 1
    first = (tmp_path / "out" / "01.png").stat().st_mtime_ns
    (tmp_path / "out" / "02.png").unlink()
    Image.fromarray(smooth(40, 40)).save(files / "99.png")
    Image.fromarray(smooth(44, 44)).save(files / "03.png")
    code, out, _ = applied(files, "--output", "out")
    assert (code, out.splitlines()[0]) == (0, "21 files rectified, 18 of them before, 0 failed")
    assert (tmp_path / "out" / "01.png").stat().st_mtime_ns == first
    assert pixels_of(tmp_path / "out" / "03.png").shape == (44, 44)
    assert len(rows_of(tmp_path / "out")) == 21


def test_a_line_that_was_cut_short_is_made_again(applied, files, tmp_path):
    assert applied(files, "--output", "out")[0] == 0
    journal = tmp_path / "out" / ".stnkit-apply.jsonl"
    journal.write_text(journal.read_text()[:-30])
    assert applied(files, "--output", "out")[1].startswith("20 files rectified, 19 of them before")
    assert applied(files, "--output", "out")[1].startswith("20 files rectified, 20 of them before")


def test_other_options_need_another_folder_or_overwrite(applied, files, tmp_path):
    assert applied(files, "--output", "out")[0] == 0
    before = (tmp_path / "out" / "theta.csv").read_bytes()
    code, _, err = applied(files, "--output", "out", "--scale", "2")
    assert code == 2
    assert "output: out has results with scale=None, got scale=2.0: choose another folder, or --overwrite" in err
    assert (tmp_path / "out" / "theta.csv").read_bytes() == before
    assert applied(files, "--output", "out", "--scale", "2", "--overwrite")[0] == 0
    assert rows_of(tmp_path / "out")[0]["out_size"] == [74, 174]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "--output", "out"], "got nowhere, which is none"),
        (
            ["notes.txt", "--output", "out"],
            "expected an image or an array (.npy), got notes.txt, in which Pillow finds",
        ),
        (["empty", "--output", "out"], "got the folder empty without any"),
        (["photos", "--output", "photos"], "expected a folder apart from the input photos, got photos, the same"),
        (["photos", "--output", "photos/out"], "got photos/out, inside of it"),
        (["photos/more", "--output", "photos"], "got photos, around it"),
        (["photos/01.png", "--output", "photos"], "got photos, the same"),
        (["photos", "--output", "empty/../notes.txt"], "expected a folder, got empty/../notes.txt, a file"),
        (["photos", "--output", "full"], "expected an empty or a new folder, got full; --overwrite writes there"),
        (["photos/01.png", "other/01.png", "--output", "out"], "expected one file for each name of a result"),
        (["photos", "--output", "out", "--sampler", "linear"], "there is no sampler 'linear'"),
        (["photos", "--output", "out", "--padding", "black"], "padding: expected one of zeros, border"),
        (["photos", "--output", "out", "--size", "0", "5"], "size: expected H W, each from 1 to 65535, got 0 5"),
        (["photos", "--output", "out", "--size", "9", "x"], "--size: expected a whole number, got 'x'"),
        (["photos", "--output", "out", "--scale", "-1"], "scale: expected a number above 0, got -1"),
        (["photos", "--output", "out", "--scale", "nan"], "scale: expected a number above 0, got nan"),
        (["photos", "--output", "out", "--workers", "0"], "--workers: expected at least 1, got '0'"),
        (["photos"], "the following arguments are required: --output"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(arguments, message, applied, files, tmp_path):
    for name in ("empty", "full", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "other" / "01.png").write_bytes((files / "01.png").read_bytes())
    before = sorted(tmp_path.rglob("*"))
    code, out, err = applied(*arguments)
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith("stnkit apply: ")
    assert message in line
    assert sorted(tmp_path.rglob("*")) == before


def test_ctrl_c_leaves_what_is_done_and_the_command_goes_on(applied, files, tmp_path, monkeypatch):
    add, calls = Journal.add, []

    def interrupted(self, given, rows):
        add(self, given, rows)
        calls.append(given)
        if len(calls) == 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Journal, "add", interrupted)
    code, _, err = applied(files, "--output", "out")
    assert code == 130
    assert re.fullmatch(r"stnkit apply: interrupted after [45] of 20 files; the same command goes on\n", err)
    assert len(rows_of(tmp_path / "out")) == 5
    assert not list((tmp_path / "out").rglob("*.part"))
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert applied(files, "--output", "out")[1].startswith("20 files rectified, 5 of them before")
