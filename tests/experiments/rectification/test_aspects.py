"""The aspects of images: those that a rotation of a stretched view shears are counted."""

import numpy as np
import pytest
import torch

from stnkit.experiments.rectification.aspects import n_sheared
from stnkit.experiments.rectification.table import Row

SIZES = [(24, 32), (48, 64), (47, 63), (64, 128), (40, 40)]
ROWS = [Row(f"{height}", in_size=[height, width]) for height, width in SIZES] + [Row("broken", error="no image")]


@pytest.mark.parametrize(
    ("transform", "fit", "expected"),
    [
        ({"name": "rotation"}, "stretch", 2),
        ({"name": "euclidean"}, "stretch", 2),
        ({"name": "similarity"}, "stretch", 2),
        ({"name": "compose", "stages": ["translation", "rotation"]}, "stretch", 2),
        ({"name": "rotation", "aspect": 2.0}, "stretch", 1),  # the square one
        ({"name": "rotation"}, "pad", 0),
        ({"name": "rotation"}, "crop", 0),
        ({"name": "affine"}, "stretch", 0),
    ],
)
def test_images_of_another_aspect_are_counted(transform, fit, expected, make_run):
    assert n_sheared(make_run(transform=transform, fit=fit).rectifier(), ROWS) == expected


def test_an_image_counts_once_for_several_transformers(make_run):
    rectifier = make_run(transform={"name": "rotation"}, placement={"parallel": 2}).rectifier()
    rows = [Row("a", name, in_size=[9, 9], transformer=number) for number, name in enumerate("xy")]
    assert (
        n_sheared(rectifier, [*rows, Row("b.npy", index=0, in_size=[9, 9]), Row("b.npy", index=1, in_size=[9, 9])]) == 3
    )


def test_volumes_have_the_sides_of_the_training(make_run):
    transform = {"name": "rotation", "ndim": 3, "aspect": [180, 180, 120]}
    rectifier = make_run(in_shape=(1, 6, 7, 8), transform=transform).rectifier()
    sizes = [(6, 7, 8), (12, 14, 16), (12, 18, 18), (6, 7, 16)]
    assert n_sheared(rectifier, [Row(f"{i}", in_size=list(size)) for i, size in enumerate(sizes)]) == 1


@pytest.mark.parametrize("size", [(48, 64), (64, 128)])
def test_what_is_counted_is_what_is_sheared(size, make_run):
    run = make_run(transform={"name": "rotation"}, scale=1.0)
    found = run.rectify(torch.rand(3, *size))
    stretch = np.linalg.svd(found.matrices["matrix_opencv_inverse"][:2, :2].numpy())[1]
    sheared = n_sheared(run.rectifier(), [Row("a", in_size=list(size))])
    assert (abs(stretch - 1).max() > 0.02) == bool(sheared)
