import builtins
import errno
import os

import numpy as np
import pytest
from PIL import Image

from stnkit.errors import DataError, InputError
from stnkit.packing.decoding import Decoding, quiet_pillow
from stnkit.packing.pixels import UndecodableError
from tests.packing.pictures import pixels_of, write_image

PIXELS = pixels_of("decoding", 4, 6)
# EXIF orientation: the stored array that shows PIXELS upright.
STORED = {
    1: PIXELS,
    2: PIXELS[:, ::-1],
    3: PIXELS[::-1, ::-1],
    4: PIXELS[::-1],
    5: PIXELS.transpose(1, 0, 2),
    6: np.rot90(PIXELS, 1),
    7: np.rot90(PIXELS, 2).transpose(1, 0, 2),
    8: np.rot90(PIXELS, -1),
}


def save(path, pixels, orientation=None, **options):
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if orientation is not None:
        options["exif"] = image.getexif()
        options["exif"][0x0112] = orientation
    image.save(path, **options)
    return path


@pytest.mark.parametrize("ending", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", STORED)
def test_exif_orientation_is_applied_once(orientation, ending, tmp_path):
    options = {"lossless": True} if ending == "webp" else {}
    path = save(tmp_path / f"image.{ending}", STORED[orientation], orientation, **options)
    assert np.array_equal(Decoding().decode(path), PIXELS.transpose(2, 0, 1))


def test_a_jpeg_lies_as_its_exif_says(tmp_path):
    halves = np.zeros((32, 16, 3), np.uint8)
    halves[:16] = 255  # stored with the bright half on top
    # Orientation 6: the first row is the right side, so the bright half is on the right.
    upright = Decoding(channels=1).decode(save(tmp_path / "image.jpg", halves, 6))
    assert upright.shape == (1, 16, 32)
    assert upright[0, :, 17:].min() > 200
    assert upright[0, :, :15].max() < 50


def test_damaged_exif_is_no_damage_to_the_image(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(PIXELS).save(path, exif=b"Exif\0\0no such thing")
    assert np.array_equal(Decoding().decode(path), PIXELS.transpose(2, 0, 1))


@pytest.mark.parametrize("ending", ["png", "bmp", "ppm", "tiff", "tga", "sgi", "jp2", "webp", "gif"])
def test_formats_without_loss_give_their_pixels(ending, tmp_path):
    # Two colors, because a GIF has a palette.
    pixels = np.where(PIXELS[..., :1] > 127, np.uint8([250, 20, 30]), np.uint8([5, 60, 7]))
    options = {"webp": {"lossless": True}, "jp2": {"irreversible": False}}.get(ending, {})
    path = tmp_path / f"image.{ending.upper()}"
    save(path, pixels, **options)
    assert np.array_equal(Decoding().decode(path), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("ending", ["gif", "tiff", "png", "webp"])
def test_the_first_of_several_frames_is_read(ending, tmp_path):
    frames = [Image.new("L", (4, 4), gray).convert("RGB") for gray in (50, 100, 200)]
    frames[0].save(tmp_path / f"frames.{ending}", save_all=True, append_images=frames[1:])
    decoded = Decoding(channels=1).decode(tmp_path / f"frames.{ending}")
    assert np.abs(decoded.astype(int) - 50).max() <= 3


@pytest.mark.parametrize("content", [b"", b"this is a text", b"P6 0 4 255\n", b"P6 4 0 255\n"])
def test_a_file_without_an_image_is_refused(content, tmp_path):
    (tmp_path / "image.png").write_bytes(content)
    with pytest.raises(UndecodableError, match="Pillow finds no image in it"):
        Decoding().decode(tmp_path / "image.png")


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tiff", "webp", "ppm"])
def test_a_file_that_is_cut_short_is_refused(ending, tmp_path):
    path = write_image(tmp_path, f"image.{ending}", 60, 80)
    content = path.read_bytes()
    for length in (len(content) // 4, len(content) // 2, int(0.9 * len(content))):
        path.write_bytes(content[:length])
        with pytest.raises(UndecodableError), quiet_pillow():
            Decoding().decode(path)


def test_a_link_to_nowhere_and_a_bomb_are_refused(tmp_path, monkeypatch):
    (tmp_path / "link.png").symlink_to("nothing.png")
    with pytest.raises(UndecodableError, match="No such file"):
        Decoding().decode(tmp_path / "link.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UndecodableError, match=r"^expected at most 20 pixels, the limit of Pillow, got more$"):
        Decoding().decode(write_image(tmp_path, "image.png"))


def test_the_description_of_a_decoding_gives_it_back():
    for decoding in (
        Decoding(),
        Decoding.of_options(1, [3, 4], "crop", 9),
        Decoding.of_options(3, None, "pad", [1, 2, 3]),
    ):
        assert Decoding.of_json(decoding.as_json()) == decoding


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 2}, "dataset.channels: expected 1 or 3, got 2"),
        ({"size": [0, 5]}, r"dataset.size: expected \[H, W\], each from 1 to 65535, got \[0, 5\]"),
        ({"size": [5]}, r"got \[5\]"),
        ({"size": [5, 70_000]}, r"got \[5, 70000\]"),
        ({"fit": "squeeze"}, "dataset.fit: expected one of stretch, crop, pad, got 'squeeze'"),
        ({"background": 256}, r"dataset.background: expected a gray, or \[R, G, B\], from 0 to 255, got 256"),
        ({"background": [1, 2]}, r"got \[1, 2\]"),
        ({"background": [1, 2, 3], "channels": 1}, "expected a gray for dataset.channels=1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Decoding.of_options(**{"channels": 3, "size": None, "fit": "stretch", "background": 0, **options})


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.EMFILE, errno.ESTALE, errno.ENOENT, None])
def test_an_error_of_the_system_is_not_the_files(number, tmp_path, monkeypatch):
    path = write_image(tmp_path, "image.png")

    def refused(*args):
        raise MemoryError if number is None else OSError(number, os.strerror(number))

    monkeypatch.setattr(builtins, "open", refused)
    reason = "not enough memory" if number is None else os.strerror(number)
    with pytest.raises(DataError, match=f"image.png cannot be read: {reason}$"):
        Decoding().decode(path)


def test_an_offset_before_the_beginning_is_damage(tmp_path, monkeypatch):
    path = write_image(tmp_path, "image.png")

    def damaged(*args):
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", damaged)
    with pytest.raises(UndecodableError, match="Invalid argument"):
        Decoding().decode(path)


WHITE_IS_ZERO = {
    "1": (np.array([[True, False, False]]), [255, 0, 0]),
    "L": (np.uint8([[0, 100, 255]]), [0, 100, 255]),
    "I;16": (np.uint16([[0, 257 * 100, 65_535]]), [255, 155, 0]),
    "F": (np.float32([[0, 0.25, 1]]), [255, 191, 0]),
}


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("mode", WHITE_IS_ZERO)
def test_a_tiff_whose_zero_is_white_is_no_negative(mode, compression, tmp_path):
    values, expected = WHITE_IS_ZERO[mode]
    path = tmp_path / "image.tiff"
    # Pillow inverts what it writes of up to 8 bits, and writes the other values as they are.
    Image.fromarray(values).save(path, tiffinfo={262: 0, 274: 2}, compression=compression)
    if mode == "L" and compression is None:
        assert bytes([255, 155, 0]) in path.read_bytes()
    assert Decoding(channels=1).decode(path)[0, 0].tolist() == expected[::-1]  # tag 274: mirrored
    Image.fromarray(values).save(path, tiffinfo={262: 1})
    if mode in ("I;16", "F"):
        assert Decoding(channels=1).decode(path)[0, 0].tolist() == {"F": [0, 64, 255], "I;16": [0, 100, 255]}[mode]
