"""All images below a folder, whatever folders are in it."""

import numpy as np
import pytest
from PIL import Image

from stnkit.errors import DataError
from stnkit.reading import Decoding, find_images, read_image


@pytest.fixture
def root(tmp_path):
    for name in ("b.png", "a.JPG", "below/c.webp", ".hidden.png", ".folder/d.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (6, 4), (30, 60, 90)).save(path)
    (tmp_path / "notes.txt").write_text("no image")
    return tmp_path


def test_images_of_all_folders_are_found_by_name(root):
    assert [str(path.relative_to(root)) for path in find_images(root)] == ["a.JPG", "b.png", "below/c.webp"]


def test_files_that_are_left_out_are_logged(root, caplog):
    with caplog.at_level("INFO"):
        find_images(root)
    assert caplog.messages == [f"left out 1 other file of {root}, such as {root}/notes.txt"]


def test_an_image_has_its_own_size(root):
    assert read_image(root / "b.png", Decoding(channels=3)).shape == (3, 4, 6)
    gray = read_image(root / "b.png", Decoding(channels=1))
    # ITU-R 601 luma.
    assert np.array_equal(gray, np.full((1, 4, 6), round(0.299 * 30 + 0.587 * 60 + 0.114 * 90)))


def test_a_folder_without_images_or_none_at_all_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"expected images, got a folder without any"):
        find_images(tmp_path)
    with pytest.raises(DataError, match=r"expected a folder of images, got .*nowhere, which is none"):
        find_images(tmp_path / "nowhere")


def test_an_image_that_cannot_be_decoded_is_refused_by_name(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken.png cannot be decoded: Pillow finds no image in it"):
        read_image(tmp_path / "broken.png", Decoding(channels=1))
