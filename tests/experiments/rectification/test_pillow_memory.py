"""Pixels of Pillow in their own memory, and as a copy where that is not one piece."""

import gc
import threading

import numpy as np
import pytest
from PIL import Image

from stnkit.experiments.rectification.pillow_memory import (
    images_in_one_piece,
    load,
    pixels_of,
    reuse_memory,
    shared_pixels,
)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_large_image_is_read_without_a_copy(mode):
    values = np.random.default_rng(0).integers(0, 256, (3000, 2000, 3), dtype=np.uint8)
    values = values if mode == "RGB" else values[..., 0]
    with images_in_one_piece(2):
        image = Image.fromarray(values)
        pixels = pixels_of(image)
        np.testing.assert_array_equal(pixels, values)
        assert pixels.strides == ((8000, 4, 1) if mode == "RGB" else (2000, 1))
        del image  # the memory stays for the pixels
        gc.collect()
        Image.new(mode, (2000, 3000))
        np.testing.assert_array_equal(pixels, values)


@pytest.mark.slow
def test_outside_of_the_context_pillow_is_as_before():
    core = vars(Image)["core"]
    before = core.get_block_size(), core.get_blocks_max()
    with images_in_one_piece(3):
        assert core.get_blocks_max() == 3
    assert (core.get_block_size(), core.get_blocks_max()) == before
    values = np.random.default_rng(0).integers(0, 256, (3000, 2000, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pixels_of(Image.fromarray(values)), values)


@pytest.fixture(params=["L", "RGB"])
def jpegs(request, tmp_path):
    """Two photographs of other sizes as JPEG files, and their pixels as Pillow decodes them."""
    found = {}
    for name, size in (("first", (1200, 1000)), ("second", (1000, 1100))):
        values = np.random.default_rng(len(found)).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(values).convert(request.param).save(tmp_path / f"{name}.jpg")
        with Image.open(tmp_path / f"{name}.jpg") as image:
            found[tmp_path / f"{name}.jpg"] = np.array(image)
    return found


def decoded(path):
    with Image.open(path) as image:
        load(image, path.stat().st_size)
        np.testing.assert_array_equal(np.array(image), pixels_of(image))
        return pixels_of(image)


def test_jpegs_of_a_reusing_thread_are_decoded_into_one_piece(jpegs):
    def in_a_thread():
        reuse_memory()
        found = []
        for path, pixels in jpegs.items():
            found.append(decoded(path))
            same.append(np.array_equal(found[-1], pixels))
        same.append(np.shares_memory(*found))

    same = []
    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert same == [True, True, True]


def test_jpegs_of_other_threads_are_apart(jpegs):
    found = [decoded(path) for path in jpegs]
    assert not np.shares_memory(*found)
    for pixels, expected in zip(found, jpegs.values(), strict=True):
        np.testing.assert_array_equal(pixels, expected)


def test_a_small_image_is_not_shared():
    assert shared_pixels(Image.new("RGB", (1000, 1000))) is None
