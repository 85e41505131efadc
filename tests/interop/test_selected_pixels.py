"""The pixels that θ of a map is fitted to: enough of them for any lattice, and more where they leave θ undetermined."""

import pytest
import torch

import stnkit
from stnkit import interop
from tests.helpers import random_theta

LONG = {
    "bspline": ({"control_points": [4, 40]}, (64, 160)),
    "rows": ({"name": "displacement", "resolution": [60, 4]}, (80, 80)),
    "slices": ({"name": "displacement", "resolution": [20, 4, 4], "ndim": 3}, (24, 24, 24)),
    "columns": ({"name": "displacement", "resolution": [2, 2, 20], "ndim": 3}, (8, 8, 40)),
    "spline of volumes": ({"name": "bspline", "control_points": [5, 5, 24], "ndim": 3}, (20, 20, 96)),
    "a cell a pixel": ({"name": "displacement", "resolution": [160, 160]}, (160, 160)),
    "more than 32 slices": ({"name": "displacement", "resolution": [40, 3, 3], "ndim": 3}, (44, 6, 6)),
    "pinned": ({"name": "bspline", "control_points": [7, 60], "pinned": "borders"}, (64, 200)),
    "bounded": ({"name": "bounded", "inner": {"name": "bspline", "control_points": [4, 40]}}, (64, 160)),
}


def drawn(options):
    family = stnkit.build("transform", {"name": "bspline"} | options)
    return family, family.identity() + 0.1 * random_theta(family, batch=1)


@pytest.mark.parametrize("name", LONG)
def test_a_long_lattice_comes_back_from_its_map(name):
    options, size = LONG[name]
    family, theta = drawn(options)
    back = interop.theta_of_pixel_map(family, interop.pixel_map(family, theta, size, size), size)
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-9)


def test_a_long_lattice_comes_back_from_the_field_of_a_tool():
    options, size = LONG["rows"]
    family, theta = drawn(options)
    back = interop.torchvision.theta_of_field(family, interop.torchvision.elastic(family, theta, size))
    torch.testing.assert_close(back, theta, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("stage", [{"name": "displacement", "resolution": [1, 40]}, LONG["pinned"][0]])
def test_a_long_lattice_among_stages_gives_its_map_back(stage):
    family, theta = drawn({"name": "compose", "stages": ["translation", stage]})
    size = (8, 160)
    pixels = interop.pixel_map(family, theta, size, size)
    back = interop.theta_of_pixel_map(family, pixels, size)
    torch.testing.assert_close(
        torch.as_tensor(interop.pixel_map(family, back, size, size)), torch.as_tensor(pixels), rtol=0, atol=1e-6
    )


def test_pixels_between_unknown_ones_are_taken_if_needed():
    family, theta = drawn({"name": "tps", "control_points": [3, 3]})
    size = (100, 100)
    pixels = interop.pixel_map(family, theta, size, size)
    known = torch.zeros(size, dtype=torch.bool)
    known[::2, 1:-1:2] = True  # of the 32 × 32 pixels of the first fit a few
    known[:, torch.linspace(0, 99, 32).round().long()] = False
    pixels[0, ~known.numpy()] = float("nan")
    torch.testing.assert_close(interop.theta_of_pixel_map(family, pixels, size), theta, rtol=0, atol=1e-9)


@pytest.mark.no_jaxtyping
def test_fewer_pixels_than_points_are_refused_with_all_of_them():
    family, theta = drawn({"name": "displacement", "resolution": [4, 40]})
    pixels = interop.pixel_map(family, theta, (20, 30), (20, 30))
    with pytest.raises(
        stnkit.errors.InputError, match=r"got 600 of positive weight .* which 240 of its 320 degrees of freedom follow$"
    ):
        interop.theta_of_pixel_map(family, pixels, (20, 30))
