"""Questions about any distortion."""

import pytest

import stnkit
from stnkit.distortions import moves

STILL = [
    {"name": "none"},
    {"name": "rotation", "degrees": 0.0},
    {"name": "elastic", "scale": [1, 1], "std": 0.0},
    {"name": "projective", "scale": [1, 1], "corner_std": 0.0},
    {"name": "translated_cluttered", "canvas": [12, 10], "patches": 2},
]


@pytest.mark.parametrize("options", STILL, ids=[options["name"] for options in STILL])
def test_a_distortion_without_width_moves_nothing(options):
    assert not moves(stnkit.build("distortion", options, image_shape=(1, 12, 10)))


@pytest.mark.parametrize("name", ["rotation", "rts", "elastic", "projective", "translated_cluttered"])
def test_a_distortion_with_its_defaults_moves_points(name):
    assert moves(stnkit.build("distortion", name, image_shape=(1, 12, 10)))


def test_a_distortion_of_volumes_moves_nothing_by_none():
    assert not moves(stnkit.build("distortion", "none", image_shape=(1, 5, 6, 7)))
