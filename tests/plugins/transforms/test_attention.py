"""Boxes of an image: crop and resize, as TensorFlow and kornia do it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit
from stnkit import coordinates

# TensorFlow 2, crop_and_resize_op_test.cc: image, its side, boxes [y1, x1, y2, x2], crop_size, expected.
TENSORFLOW = [
    ([1, 2, 3, 4], 2, [0, 0, 1, 1], (1, 1), [2.5]),
    ([1, 2, 3, 4], 2, [0, 0, 1, 1], (3, 3), [1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4]),
    ([1, 2, 3, 4, 5, 6, 7, 8, 9], 3, [0, 0, 1, 1], (2, 2), [1, 3, 7, 9]),
    ([1, 2, 3, 4, 5, 6, 7, 8, 9], 3, [0, 0, 0.5, 0.5], (2, 2), [1, 2, 4, 5]),
]
# kornia 0.9.0: crop_and_resize(image, [[[1, 1], [4, 1], [4, 3], [1, 3]]], (3, 5)) in float64, with image =
# np.arange(30.0).reshape(5, 6) ** 1.5 % 7 and the corners of the box in pixels.
KORNIA = [
    [4.520259177452132, 2.350627542840175, 3.813708498984761, 5.405694150420948, 3.6227766016837926],
    [4.872166581031863, 3.7554442063843503, 2.738976803973216, 1.8210626448334395, 1.0],
    [5.819079927272796, 5.536809306811893, 5.338404347032117, 5.222853874583343, 5.189146716115445],
]


def boxes(**options):
    return stnkit.build("transform", "attention", isotropic=False, **options)


def theta_of_box(box, in_size, size):
    """θ of a box [y1, x1, y2, x2] in TensorFlow's units, 0 and 1 at the centers of the first and the last pixel."""
    matrix = torch.eye(3, dtype=torch.float64)
    for axis, (low, high) in enumerate(zip(box[:2], box[2:], strict=True)):  # y, then x
        n, m = in_size[axis], size[axis]
        step = (high - low) * (n - 1) / (m - 1) if m > 1 else high - low
        start = low * (n - 1) if m > 1 else (low + high) / 2 * (n - 1)
        matrix[1 - axis, 1 - axis], matrix[1 - axis, 2] = step, start
    return boxes().from_matrix(coordinates.normalized_matrix(matrix, in_size, size)[None])


def crop(image, box, size):
    sampler = stnkit.build("sampler", "bilinear")
    return stnkit.warp(boxes(), theta_of_box(box, image.shape, size), image[None, None], sampler, size)[0, 0]


@pytest.mark.parametrize(("image", "side", "box", "size", "expected"), TENSORFLOW)
def test_crops_are_those_of_tensorflow(image, side, box, size, expected):
    found = crop(torch.tensor(image, dtype=torch.float64).view(side, side), box, size)
    assert (found.flatten() - torch.tensor(expected, dtype=torch.float64)).abs().max() < 1e-12


def test_crops_are_those_of_kornia():
    image = torch.from_numpy(np.arange(30.0).reshape(5, 6) ** 1.5 % 7)
    found = crop(image, [1 / 4, 1 / 5, 3 / 4, 4 / 5], (3, 5))
    assert (found - torch.tensor(KORNIA, dtype=torch.float64)).abs().max() < 1e-12


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**31),
    in_size=st.tuples(*[st.integers(2, 9)] * 2),
    size=st.tuples(*[st.integers(1, 9)] * 2),
    low=st.tuples(*[st.floats(-0.3, 0.6)] * 2),
    side=st.tuples(*[st.floats(0.05, 0.9)] * 2),
)
def test_crops_follow_the_documented_formula(seed, in_size, size, low, side):
    image = np.random.default_rng(seed).normal(size=in_size)
    box = [*low, *(start + length for start, length in zip(low, side, strict=True))]

    def positions(first, last, n, m):
        if m == 1:
            return [0.5 * (first + last) * (n - 1)]
        return [first * (n - 1) + i * (last - first) * (n - 1) / (m - 1) for i in range(m)]

    def value(y, x):
        y0, x0 = math.floor(y), math.floor(x)
        near = [(y0, x0), (y0, x0 + 1), (y0 + 1, x0), (y0 + 1, x0 + 1)]
        weights = [(1 - abs(y - i)) * (1 - abs(x - j)) for i, j in near]
        inside = [0 <= i < in_size[0] and 0 <= j < in_size[1] for i, j in near]
        return sum(w * image[i, j] for (i, j), w, known in zip(near, weights, inside, strict=True) if known)

    rows, columns = (positions(box[k], box[k + 2], in_size[k], size[k]) for k in (0, 1))
    expected = np.array([[value(y, x) for x in columns] for y in rows])
    assert np.abs(crop(torch.from_numpy(image), box, size).numpy() - expected).max() < 1e-9


def test_a_box_has_its_corners_at_t_plus_and_minus_exp_s():
    theta = torch.tensor([[math.log(0.25), math.log(0.5), math.log(2.0), 0.5, -0.5, 0.1]], dtype=torch.float64)
    corners = torch.tensor([[[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]]], dtype=torch.float64)
    expected = torch.tensor([[[0.25, -1.0, -1.9], [0.75, 0.0, 2.1]]], dtype=torch.float64)
    assert (boxes(ndim=3)(theta, corners) - expected).abs().max() < 1e-15


def test_an_isotropic_box_is_a_box_of_equal_scales():
    for ndim in (2, 3):
        one, each = stnkit.build("transform", "attention", ndim=ndim), boxes(ndim=ndim)
        theta = torch.rand(3, 1 + ndim, dtype=torch.float64)
        same = torch.cat([theta[:, :1].expand(-1, ndim), theta[:, 1:]], dim=1)
        assert torch.equal(one.matrix(theta), each.matrix(same))
