import numpy as np
import pytest
from PIL import Image

from stnkit.packing.fitting import Fit, fitted


def shape_of(pixels, size, fit, background=(0, 0, 0)):
    return np.asarray(fitted(Image.fromarray(pixels), size, fit, background)).astype(int)


@pytest.mark.parametrize("fit", Fit)
@pytest.mark.parametrize("size", [(1, 1), (5, 9), (9, 5), (64, 3), (30, 40)])
@pytest.mark.parametrize("own", [(1, 1), (7, 11), (100, 3), (30, 40), (3, 1000)])
def test_every_image_gets_the_size_and_keeps_its_color(fit, size, own):
    pixels = np.full((*own, 3), (10, 120, 250), np.uint8)
    result = shape_of(pixels, size, fit, background=(10, 120, 250))
    assert result.shape == (*size, 3)
    assert (result == (10, 120, 250)).all()


def test_stretch_to_half_the_size_averages_with_a_triangle():
    row = np.random.default_rng(0).integers(0, 256, 16, dtype=np.uint8)
    result = shape_of(np.repeat(row[None], 4, axis=0), (4, 8), Fit.stretch)[0]
    # At a reduction of 2 the triangle is 4 pixels wide: weights 1, 3, 3, 1 where the image has no edge.
    weights = np.array([1, 3, 3, 1]) / 8
    expected = [weights @ row[2 * i - 1 : 2 * i + 3] for i in range(1, 7)]
    assert np.abs(result[1:7] - expected).max() <= 1


def test_crop_takes_the_middle_of_the_longer_side():
    pixels = np.zeros((10, 30), np.uint8)
    pixels[:, 10:20] = np.arange(100, 110)
    assert (shape_of(pixels, (10, 10), Fit.crop) == np.arange(100, 110)).all()
    assert (shape_of(pixels.T.copy(), (10, 10), Fit.crop) == np.arange(100, 110)[:, None]).all()


def test_pad_shows_all_of_it_in_the_middle_of_the_background():
    pixels = np.full((10, 20, 3), 200, np.uint8)
    result = shape_of(pixels, (20, 20), Fit.pad, background=(1, 2, 3))
    assert (result[5:15] == 200).all()
    assert (result[:5] == (1, 2, 3)).all()
    assert (result[15:] == (1, 2, 3)).all()


def test_pad_of_gray_has_a_gray_background():
    result = shape_of(np.full((4, 8), 9, np.uint8), (8, 8), Fit.pad, background=(77, 77, 77))
    assert result[:, 0].tolist() == [77, 77, 9, 9, 9, 9, 77, 77]


def test_an_image_of_that_size_is_unchanged():
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    for fit in Fit:
        assert np.array_equal(shape_of(pixels, (5, 7), fit), pixels)


def test_pad_of_a_line_shows_a_line():
    result = shape_of(np.full((1, 333), 255, np.uint8), (38, 39), Fit.pad)
    assert (result == 255).sum(axis=0).tolist() == [1] * 39
