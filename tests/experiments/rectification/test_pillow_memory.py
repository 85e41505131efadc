"""Pixels of Pillow in their own memory, and as a copy where that is not one piece."""

import gc

import numpy as np
import pytest
from PIL import Image

from stnkit.experiments.rectification.pillow_memory import images_in_one_piece, pixels_of


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


def test_outside_of_the_context_pillow_is_as_before():
    core = vars(Image)["core"]
    before = core.get_block_size(), core.get_blocks_max()
    with images_in_one_piece(3):
        assert core.get_blocks_max() == 3
    assert (core.get_block_size(), core.get_blocks_max()) == before
    values = np.random.default_rng(0).integers(0, 256, (3000, 2000, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pixels_of(Image.fromarray(values)), values)
