"""Views of photographs, which are read from means of boxes: those of Pillow's antialiased reduction, to one level."""

import numpy as np
import pytest
from PIL import Image

from stnkit.experiments.rectification.view import View

pytestmark = pytest.mark.slow


def noise(channels, height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def lines(channels, height, width):
    """White lines along the border, where the last boxes are smaller, and in the middle."""
    image = np.zeros((height, width, channels), np.uint8)
    image[-3:] = image[:, -2:] = image[height // 3 :][:5] = 255
    return image


def waves(channels, height, width):
    y, x, k = np.ogrid[:height, :width, :channels]
    return (127 + 120 * np.sin(y / 90 + k) * np.cos(x / 70)).astype(np.uint8)


@pytest.mark.parametrize("drawn", [noise, lines, waves])
@pytest.mark.parametrize("given", [1, 3])
@pytest.mark.parametrize("seen", [1, 3])
@pytest.mark.parametrize("size", [(1200, 1600), (1031, 1033), (3001, 350)])
def test_a_large_image_is_seen_as_pillow_reduces_it(drawn, given, seen, size):
    image = Image.fromarray(drawn(given, *size).squeeze())
    view, frame = View((seen, 28, 28)).of_picture(image)
    reduced = image.convert("L" if seen == 1 else "RGB").resize((28, 28), Image.Resampling.BILINEAR)
    levels = np.asarray(reduced, np.float32).reshape(28, 28, seen)
    assert np.abs(255 * view.movedim(0, -1).numpy() - levels).max() <= 1.01
    assert frame.size == size
