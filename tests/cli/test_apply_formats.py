"""`stnkit apply`: files keep their mode, bit depth, color and format."""

import numpy as np
import pytest
from PIL import Image

from stnkit.experiments.rectification.deep_png import encode_deep
from stnkit.experiments.rectification.pictures import read_picture
from tests.cli.applied import pixels_of, rows_of, smooth

# Modes of Pillow with a format that holds them, and the number of channels.
KINDS = {"L": ("png", 1), "RGB": ("png", 3), "RGBA": ("png", 4), "LA": ("png", 2), "I;16": ("tiff", 1)}


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
