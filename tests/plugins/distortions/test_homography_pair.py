"""The map between the images of a pair against a linear system of its eight entries."""

import numpy as np
import pytest
import scipy.stats
import torch

import stnkit

InputError = stnkit.errors.InputError
CORNERS = np.array([[-0.5, -0.5], [127.5, -0.5], [-0.5, 127.5], [127.5, 127.5]])


def pairs(image_shape=(2, 192, 192), **options):
    return stnkit.build("distortion", "homography_pair", image_shape=image_shape, **options)


def drawn(distortion, n, seed=0):
    return distortion.sample(n, torch.Generator().manual_seed(seed))


def moves_of(theta):
    """The moves of the corners in pixels of 128×128, (n, 4, 2)."""
    return 64 * theta.double().numpy().reshape(-1, 2, 4).transpose(0, 2, 1)


def homography(source, target):
    """The matrix that takes four points to four others."""
    rows, right = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(rows, right), 1).reshape(3, 3)


def smooth(x, y):
    """An image of which every value between pixels is known."""
    return 0.5 + 0.25 * np.sin(x / 17.0) * np.cos(y / 13.0) + 0.2 * np.cos((x + 2 * y) / 29.0)


def test_the_fixed_image_is_the_moving_one_by_the_homography():
    distortion = pairs()
    columns, rows = np.meshgrid(np.arange(192.0), np.arange(192.0))
    image = torch.from_numpy(smooth(columns, rows)).float().expand(6, 2, 192, 192)
    theta = drawn(distortion, 6)
    moving, fixed = distortion.apply(image, theta, torch.Generator()).split(1, dim=1)
    x, y = np.meshgrid(np.arange(128.0), np.arange(128.0))
    np.testing.assert_allclose(moving[0, 0], smooth(x + 32, y + 32), atol=1e-6)
    for b, moved in enumerate(CORNERS + moves_of(theta)):
        source = homography(CORNERS, moved) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
        expected = smooth(source[0] / source[2] + 32, source[1] / source[2] + 32).reshape(128, 128)
        # Linear interpolation between pixels of an image with a curvature below 0.003.
        np.testing.assert_allclose(fixed[b, 0], expected, atol=1.5e-3, err_msg=f"pair {b}")


def test_moves_are_uniform_and_independent():
    moves = moves_of(drawn(pairs(), 2000)).reshape(2000, 8)
    assert scipy.stats.kstest(moves.ravel() / 64 + 0.5, "uniform").pvalue > 0.01
    assert np.abs(np.corrcoef(moves.T) - np.eye(8)).max() < 0.1


def test_nothing_outside_of_the_image_is_read():
    # Black beside the image would show: all of it is white, and each draw takes every corner as far as it may go.
    distortion = pairs()
    theta = drawn(distortion, 64).sign() / 2
    # Three corners on one line make no homography.
    theta = theta[stnkit.build("transform", "homography4").matrix(theta).det() > 1e-3]
    assert len(theta) > 10
    white = distortion.apply(torch.ones(len(theta), 2, 192, 192), theta, torch.Generator())
    torch.testing.assert_close(white, torch.ones_like(white))


def test_without_moves_both_images_are_the_same():
    distortion = pairs((6, 40, 52), shift=5)
    assert distortion.out_size == (30, 42)
    image = torch.rand(3, 3, 40, 52)
    result = distortion.apply(torch.cat([image, image], dim=1), torch.zeros(3, 8), torch.Generator())
    torch.testing.assert_close(result[:, :3], result[:, 3:], atol=1e-5, rtol=0)
    assert torch.equal(result[:, :3], image[:, :, 5:35, 5:47])


@pytest.mark.parametrize(
    ("shape", "out_size", "shift"), [((2, 28, 28), (20, 20), 4.0), ((2, 192, 256), (128, 192), 32)]
)
def test_by_default_corners_move_by_a_sixth_of_the_side(shape, out_size, shift):
    distortion = pairs(shape)
    assert (distortion.out_size, distortion.shift) == (out_size, shift)
    moves = distortion.sample(500, torch.Generator().manual_seed(0)).view(500, 2, 4).abs().amax(dim=(0, 2))
    limits = torch.tensor([2 * shift / out_size[1], 2 * shift / out_size[0]])
    assert bool((moves <= limits).all())
    assert bool((moves > 0.95 * limits).all())


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 192, 192), {}, "expected (2C, H, W), the channels of two images, got [1, 192, 192]"),
        ((2, 8, 8, 8), {}, "image_shape: expected (C, H, W), got [2, 8, 8, 8]"),
        ((2, 192, 192), {"shift": -1.0}, "shift: expected 0 to 96.0, half of the smaller side, got -1.0"),
        ((2, 192, 192), {"size": (100, 101)}, "size: expected an even difference from [192, 192], got [100, 101]"),
        ((2, 192, 192), {"size": (160, 160)}, "larger than size by 32.0 pixels on every side"),
        ((2, 192, 192), {"shift": 33.0}, "shift: expected 0 to 31.5, a quarter of the smaller side of size, got 33.0"),
        ((2, 192, 192), {"size": (0, 128)}, "size: expected 2 whole numbers of at least 1, got [0, 128]"),
    ],
)
def test_options_that_do_not_fit_the_images_are_refused(shape, options, message):
    with pytest.raises(InputError) as error:
        pairs(shape, **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
