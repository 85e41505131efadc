"""The native warp of bytes: the composite's values, rounded."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

import stnkit
from stnkit import native
from stnkit.coordinates import normalized_matrix
from stnkit.experiments.rectification.maps import Projective
from stnkit.native.byte_images import reduced_bytes, reuse_memory, warped_bytes
from stnkit.native.reused_memory import ReusedMemory

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
    monkeypatch.setattr(native.byte_images, "_memory", ReusedMemory())
    image, sampler = np.full((9, 9, 3), 5, np.uint8), stnkit.build("sampler", "bilinear").interpolation()
    first = warped_bytes(image, np.eye(3), (9, 9), sampler)
    assert not np.shares_memory(first, warped_bytes(image, np.eye(3), (9, 9), sampler))
    reuse_memory()
    first = warped_bytes(image, np.eye(3), (9, 9), sampler)
    second = warped_bytes(image[:5], np.eye(3), (5, 9), sampler)
    assert np.shares_memory(first, second)
    assert (second == 5).all()


@needs_library
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [1, 9, 255, 264, 530])
def test_a_shift_by_whole_pixels_moves_the_bytes(channels, width):
    image = np.random.default_rng(0).integers(0, 256, (70, width, channels), dtype=np.uint8)
    sampler = stnkit.build("sampler", "bilinear", padding="fill", fill_value=9.0).interpolation()
    for across, down in ((0, 0), (5, -3), (-7, 40), (1000, 0)):
        matrix = np.array([[1, 0, across], [0, 1, down], [0, 0, 1.0]])
        x, y = np.arange(width) + across, np.arange(70)[:, None] + down
        within = (x >= 0) & (x < width) & (y >= 0) & (y < 70)
        expected = np.where(within[..., None], image[y.clip(0, 69), x.clip(0, width - 1)], 9)
        np.testing.assert_array_equal(warped_bytes(image, matrix, (70, width), sampler), expected)


@needs_library
def test_a_long_row_is_as_exact_at_its_end():
    image = np.random.default_rng(0).integers(0, 256, (40, 9000, 1), dtype=np.uint8)
    matrix = np.array([[0.37, 0, 3.21], [0.0013, 1, 2.7], [0, 0, 1.0]])
    found = warped_bytes(image, matrix, (2, 20_000), stnkit.build("sampler", "bilinear").interpolation())
    points = np.einsum("ij,jn->in", matrix[:2], np.stack([np.arange(20_000), np.ones(20_000), np.ones(20_000)]))
    expected = map_coordinates(image[..., 0].astype(float), points[::-1], order=1)
    assert np.abs(found[1, :, 0] - expected).max() <= 0.51


@needs_library
@pytest.mark.parametrize("box", [(1, 1), (5, 7), (3, 4), (257, 2), (16, 16)])
def test_boxes_of_bytes_become_their_rounded_means(box):
    draws = np.random.default_rng(0)
    for channels in (1, 3):
        image = draws.integers(0, 256, (box[0] * 3, box[1] * 11, 4), dtype=np.uint8)
        image = image[..., :3] if channels == 3 else np.ascontiguousarray(image[..., :1])
        means = image.reshape(3, box[0], 11, box[1], channels).mean((1, 3), dtype=np.float64)
        np.testing.assert_array_equal(reduced_bytes(image, *box), np.floor(means + 0.5))
    white = np.full((box[0], box[1], 4), 255, np.uint8)[..., :3]
    np.testing.assert_array_equal(reduced_bytes(white, *box), 255)


@needs_library
@pytest.mark.parametrize(("height", "width", "box"), [(7, 11, (3, 4)), (1, 5, (2, 9)), (9, 70, (4, 3)), (8, 8, (4, 4))])
def test_the_last_boxes_have_the_pixels_that_are_left(height, width, box):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)[..., :3]
    found = reduced_bytes(image, *box)
    for i, top in enumerate(range(0, height, box[0])):
        for j, left in enumerate(range(0, width, box[1])):
            mean = image[top : top + box[0], left : left + box[1]].mean((0, 1), dtype=np.float64)
            np.testing.assert_array_equal(found[i, j], np.floor(mean + 0.5))
    assert found.shape == (i + 1, j + 1, 3)


@needs_library
def test_boxes_that_the_kernel_does_not_sum_are_left_to_others():
    image = np.zeros((600, 12, 4), np.uint8)
    assert reduced_bytes(image[..., :3], 2, 3) is not None
    assert reduced_bytes(image[..., :3], 300, 3) is None
    assert reduced_bytes(np.ascontiguousarray(image[..., :3]), 2, 3) is None
    assert reduced_bytes(image[..., :2], 2, 3) is None
    assert reduced_bytes(image[:, ::-1, :3], 2, 3) is None
