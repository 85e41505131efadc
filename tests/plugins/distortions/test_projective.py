"""The distortion P against its own definition: corners that move, and the homography that takes them back."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import torch

import stnkit

CORNERS = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], dtype=float)
AROUND = [0, 1, 3, 2]


def drawn(n, **options):
    distortion = stnkit.build("distortion", "projective", image_shape=(1, 28, 28), **options)
    theta = distortion.sample(n, torch.Generator().manual_seed(0)).double().numpy()
    return np.concatenate([theta, np.ones((n, 1))], axis=1).reshape(n, 3, 3)


def moved_corners(matrix):
    """The corners of the original in the distorted image."""
    points = np.linalg.inv(matrix) @ np.concatenate([CORNERS, np.ones((4, 1))], axis=1).T
    return (points[:, :2] / points[:, 2:]).transpose(0, 2, 1)


def homography(source, target):
    """The matrix that takes four points to four others, by the linear system of its eight entries."""
    rows, right = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    return np.append(np.linalg.solve(rows, right), 1).reshape(3, 3)


def test_theta_is_the_homography_of_the_moved_corners():
    # Moves of one pixel are never drawn anew, so that the test can repeat the draws.
    matrices = drawn(20, corner_std=1.0)
    generator = torch.Generator().manual_seed(0)
    scale = stnkit.distortions.uniform(20, 0.75, 1.0, generator).numpy()
    moves = torch.randn(20, 2, 4, generator=generator, dtype=torch.float64).numpy() / 14
    for matrix, s, move in zip(matrices, scale, moves, strict=True):
        np.testing.assert_allclose(matrix, homography(s * CORNERS + move.T, CORNERS), atol=1e-6)


def test_the_corners_of_the_original_appear_at_the_moved_ones():
    # A bright spot near each corner is found, in the distorted image, where the inverse of the matrix says.
    distortion = stnkit.build("distortion", "projective", image_shape=(1, 120, 120), corner_std=8.0)
    theta = distortion.sample(6, torch.Generator().manual_seed(1))
    for i, (x, y) in enumerate([(30, 30), (90, 30), (30, 90), (90, 90)]):
        spot = np.zeros((120, 120))
        spot[y, x] = 1
        image = torch.from_numpy(scipy.ndimage.gaussian_filter(spot, 1.5)).float().expand(6, 1, 120, 120)
        seen = distortion.apply(image, theta, torch.Generator())
        for b in range(6):
            matrix = np.append(theta[b].double().numpy(), 1).reshape(3, 3)
            point = np.linalg.inv(matrix) @ [(2 * x + 1) / 120 - 1, (2 * y + 1) / 120 - 1, 1]
            expected = ((point[:2] / point[2] + 1) * 120 - 1) / 2
            found = scipy.ndimage.center_of_mass(seen[b, 0].numpy())[::-1]
            np.testing.assert_allclose(found, expected, atol=0.6, err_msg=f"spot {i}, image {b}")


def test_moves_are_normal_in_pixels_and_independent():
    moves = (moved_corners(drawn(2000, corner_std=1.0, scale=(0.8, 0.8))) - 0.8 * CORNERS) * 14
    assert scipy.stats.kstest(moves.ravel(), "norm").pvalue > 0.01
    correlation = np.corrcoef(moves.reshape(2000, 8).T) - np.eye(8)
    assert np.abs(correlation).max() < 0.1


def test_accepted_moves_have_the_documented_deviation():
    moves = (moved_corners(drawn(4000, scale=(0.8, 0.8))) - 0.8 * CORNERS) * 14
    assert moves.std() == pytest.approx(4.8, abs=0.1)
    assert abs(moves.mean()) < 0.1


def test_the_scale_covers_its_range_evenly():
    sides = moved_corners(drawn(2000, corner_std=0.0))
    scale = sides[:, 3, 0]
    np.testing.assert_allclose(sides, scale[:, None, None] * CORNERS, atol=1e-6)
    assert scipy.stats.kstest(scale, scipy.stats.uniform(0.75, 0.25).cdf).pvalue > 0.01


@pytest.mark.parametrize(("corner_std", "scale"), [(5.0, (0.75, 1.0)), (14.0, (0.75, 1.0)), (14.0, (0.1, 0.1))])
def test_no_draw_folds_mirrors_or_shows_its_horizon(corner_std, scale):
    matrices = drawn(3000, corner_std=corner_std, scale=scale)
    around = moved_corners(matrices)[:, AROUND]
    edges = np.roll(around, -1, axis=1) - around
    after = np.roll(edges, -1, axis=1)
    # Every turn to the same side: convex, and not mirrored.
    assert (edges[..., 0] * after[..., 1] - edges[..., 1] * after[..., 0] > 0).all()
    w = 1 + matrices[:, 2, :2] @ CORNERS.T
    assert w.min() >= 0.1 - 1e-6
    assert w.min() < 0.15
