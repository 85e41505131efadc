import numpy as np
import pytest
from PIL import Image

from stnkit.packing.pixels import UndecodableError, as_bytes

RAMP = np.arange(65_536, dtype=np.uint16).reshape(256, 256)
# The nearest of the 256 values, by a formula in floating point.
EIGHT_BITS = np.floor(RAMP / 65_535 * 255 + 0.5).astype(np.uint8)
RED, GREEN = (200, 30, 40), (10, 220, 60)


def converted(image, channels=3, background=(0, 0, 0)):
    return np.asarray(as_bytes(image, channels, background))


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_16_bits_are_scaled_and_not_clipped(order):
    image = Image.frombuffer("I;16" if order == "<u2" else "I;16B", (256, 256), RAMP.astype(order).tobytes())
    assert np.array_equal(converted(image, channels=1), EIGHT_BITS)
    assert np.array_equal(converted(image), np.repeat(EIGHT_BITS[..., None], 3, axis=-1))


@pytest.mark.parametrize("ending", ["png", "tiff", "pgm"])
def test_16_bits_are_scaled_from_each_format(ending, tmp_path):
    if ending == "pgm":  # Pillow writes no more than 8 bits
        (tmp_path / "ramp.pgm").write_bytes(b"P5 256 256 65535\n" + RAMP.astype(">u2").tobytes())
    else:
        Image.fromarray(RAMP).save(tmp_path / f"ramp.{ending}")
    with Image.open(tmp_path / f"ramp.{ending}") as image:
        assert np.array_equal(converted(image, channels=1), EIGHT_BITS)


def test_integers_of_32_bits_have_the_range_of_16():
    assert np.array_equal(converted(Image.fromarray(RAMP.astype(np.int32)), channels=1), EIGHT_BITS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.int32([[0, 65_536]]), "expected 32-bit integers from 0 to 65535, got 0 to 65536"),
        (np.int32([[-1, 5]]), "got -1 to 5"),
        (np.float32([[0, 1.5]]), "expected floating-point numbers from 0 to 1, got 0 to 1.5"),
        (np.float32([[0, np.nan]]), "got nan to nan"),
    ],
)
def test_values_beyond_the_range_are_refused(values, message):
    with pytest.raises(UndecodableError, match=message):
        as_bytes(Image.fromarray(values), 3, (0, 0, 0))


def test_floats_are_scaled_from_0_to_1():
    values = np.float32([[0, 0.25, 0.5, 1]])
    assert converted(Image.fromarray(values), channels=1).tolist() == [[0, 64, 128, 255]]


def test_alpha_is_blended_over_the_background():
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    alpha = pixels[..., 3:] / 255
    expected = pixels[..., :3] * alpha + np.array(GREEN) * (1 - alpha)
    blended = converted(Image.fromarray(pixels), background=GREEN)
    assert np.abs(blended - expected).max() <= 1
    assert np.array_equal(blended[pixels[..., 3] == 255], pixels[..., :3][pixels[..., 3] == 255])
    assert np.array_equal(converted(Image.fromarray(pixels[..., :3])), pixels[..., :3])


def test_gray_with_alpha_stays_gray():
    image = Image.fromarray(np.uint8([[[100, 255], [100, 0]]]))
    assert image.mode == "LA"
    assert converted(image, channels=1, background=(7, 7, 7)).tolist() == [[100, 7]]


def test_a_transparent_color_of_a_palette_is_background(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([*RED, *GREEN, 1, 2, 3])
    image.putdata([0, 1, 2])
    image.save(tmp_path / "palette.png", transparency=1)
    with Image.open(tmp_path / "palette.png") as read:
        assert read.mode == "P"
        assert converted(read, background=(9, 8, 7)).tolist() == [[[*RED], [9, 8, 7], [1, 2, 3]]]


def test_a_color_key_of_rgb_and_16_bits_is_background(tmp_path):
    Image.fromarray(np.uint8([[RED, GREEN]])).save(tmp_path / "rgb.png", transparency=GREEN)
    Image.fromarray(np.uint16([[257, 514]])).save(tmp_path / "gray.png", transparency=514)
    for name, expected in (("rgb", [[[*RED], [9, 9, 9]]]), ("gray", [[[1, 1, 1], [9, 9, 9]]])):
        with Image.open(tmp_path / f"{name}.png") as read:
            assert converted(read, background=(9, 9, 9)).tolist() == expected


def test_one_bit_is_black_and_white():
    image = Image.fromarray(np.array([[True, False]]))
    assert image.mode == "1"
    assert converted(image, channels=1).tolist() == [[255, 0]]


def test_cmyk_is_subtracted_from_white():
    cmyk = np.uint8([[[255, 0, 0, 0], [0, 255, 255, 0], [0, 0, 0, 255], [0, 0, 0, 0]]])
    expected = [[[0, 255, 255], [255, 0, 0], [0, 0, 0], [255, 255, 255]]]
    assert converted(Image.frombuffer("CMYK", (4, 1), cmyk.tobytes())).tolist() == expected


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "YCbCr", "HSV", "LAB", "CMYK", "P", "RGBX", "PA", "La", "RGBa"])
def test_gray_of_any_mode_is_the_luma_of_its_rgb(mode):
    start = {"LAB": (120, 130, 140), "P": 0, "PA": (0, 255), "La": (90, 255)}.get(mode, (60, 150, 90, 255))
    bands = len(Image.new(mode, (1, 1)).getbands())
    image = Image.new(mode, (2, 2), start[:bands] if isinstance(start, tuple) else start)
    if mode in ("P", "PA"):
        image.putpalette([60, 150, 90])
    red, green, blue = converted(image)[0, 0].astype(float)
    assert abs(converted(image, channels=1)[0, 0] - (0.299 * red + 0.587 * green + 0.114 * blue)) <= 1
