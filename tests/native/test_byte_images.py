"""The native warp of bytes: the composite's values, rounded."""

import numpy as np
import pytest
import torch

import stnkit
from stnkit import native
from stnkit.coordinates import normalized_matrix
from stnkit.experiments.rectification.maps import Projective
from stnkit.native.byte_images import reuse_memory, warped_bytes

needs_library = pytest.mark.skipif(not native.status().used, reason="the native library is not used")
PADDINGS = ["zeros", "border", "reflection", "mirror", "circular", "fill"]


def drawn(draws, projective):
    """An image of random size and bytes, an output size, and a matrix between their pixels."""
    height, width, *size = draws.integers(1, 40, 4)
    channels = draws.choice([1, 3])
    image = draws.integers(0, 256, (height, width, 4), dtype=np.uint8)
    image = image[..., :channels] if draws.integers(2) else np.ascontiguousarray(image[..., :channels])
    matrix = np.eye(3) + draws.normal(size=(3, 3)) * [[0.3, 0.3, 9], [0.3, 0.3, 9], [2e-3, 2e-3, 0]]
    return image, tuple(map(int, size)), matrix if projective else np.vstack([matrix[:2], [0, 0, 1]])


@needs_library
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("projective", [False, True])
def test_bytes_are_the_rounded_values_of_the_sampler(padding, projective):
    draws = np.random.default_rng(0)
    sampler = stnkit.build("sampler", "bilinear", padding=padding, fill_value=77.0)
    taken = 0
    for _ in range(60):
        image, size, matrix = drawn(draws, projective)
        found = warped_bytes(image, matrix, size, sampler.interpolation())
        if found is None:
            continue
        taken += 1
        normalized = normalized_matrix(torch.from_numpy(matrix), image.shape[:2], size).reshape(1, 9)
        planes = torch.from_numpy(image.copy()).movedim(-1, 0)[None].double()
        expected = stnkit.warp(Projective(2), normalized, planes, sampler, size)[0].movedim(0, -1)
        assert found.shape == (*size, image.shape[2])
        # Half a step of rounding, and the shares of columns in steps of 2^-14.
        assert np.abs(found - expected.numpy()).max() <= 0.51
    assert taken > 30


@needs_library
def test_what_the_kernel_does_not_compute_is_left_to_others():
    image, matrix = np.zeros((9, 9, 3), np.uint8), np.eye(3)
    bilinear = stnkit.build("sampler", "bilinear").interpolation()
    assert warped_bytes(image, matrix, (4, 4), bilinear) is not None
    assert warped_bytes(image, matrix, (4, 4), stnkit.build("sampler", "bicubic").interpolation()) is None
    assert warped_bytes(image, matrix, (4, 4), None) is None
    assert warped_bytes(np.zeros((9, 9, 2), np.uint8), matrix, (4, 4), bilinear) is None
    assert warped_bytes(image, np.full((3, 3), np.nan), (4, 4), bilinear) is None
    behind = np.array([[1, 0, 0], [0, 1, 0], [-0.5, 0, 1.0]])
    assert warped_bytes(image, behind, (4, 4), bilinear) is None
    without_axis = image.transpose(2, 0, 1).copy().transpose(1, 2, 0)
    assert warped_bytes(without_axis, matrix, (4, 4), bilinear) is None


@needs_library
def test_results_are_apart_unless_memory_is_reused(monkeypatch):
    monkeypatch.setattr(native.byte_images._local, "reused", None)
    image, sampler = np.full((9, 9, 3), 5, np.uint8), stnkit.build("sampler", "bilinear").interpolation()
    first = warped_bytes(image, np.eye(3), (9, 9), sampler)
    assert not np.shares_memory(first, warped_bytes(image, np.eye(3), (9, 9), sampler))
    reuse_memory()
    first = warped_bytes(image, np.eye(3), (9, 9), sampler)
    second = warped_bytes(image[:5], np.eye(3), (5, 9), sampler)
    assert np.shares_memory(first, second)
    assert (second == 5).all()
