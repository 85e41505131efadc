"""The distortion E against SciPy's thin plate spline and the distributions that it promises."""

import numpy as np
import scipy.interpolate
import scipy.ndimage
import scipy.stats
import torch

import stnkit


def built(**options):
    return stnkit.build("distortion", "elastic", image_shape=(1, 28, 28), **options)


def control_points(theta):
    """(n, 16, 2)."""
    return theta.double().view(len(theta), 2, -1).transpose(1, 2).numpy()


def lattice(n=4):
    axis = np.linspace(-1, 1, n)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def test_the_image_is_read_through_scipys_spline():
    distortion = built()
    image = scipy.ndimage.gaussian_filter(np.random.default_rng(0).random((28, 28)), 1)
    theta = distortion.sample(3, torch.Generator().manual_seed(0))
    out = distortion.apply(torch.from_numpy(image).float().expand(3, 1, 28, 28), theta, torch.Generator())
    centers = (2 * np.arange(28) + 1) / 28 - 1
    pixels = np.stack(np.meshgrid(centers, centers), axis=-1).reshape(-1, 2)
    for b in range(3):
        spline = scipy.interpolate.RBFInterpolator(
            lattice(), control_points(theta)[b], kernel="thin_plate_spline", degree=1
        )
        x, y = ((spline(pixels) + 1) * 28 - 1).T / 2
        expected = scipy.ndimage.map_coordinates(image, [y, x], order=1, mode="grid-constant")
        np.testing.assert_allclose(out[b, 0].flatten(), expected, atol=1e-4)


def test_control_points_move_by_a_normal_number_of_pixels():
    theta = built(scale=(1.0, 1.0)).sample(500, torch.Generator().manual_seed(0))
    moves = (control_points(theta) - lattice()) * 14
    assert scipy.stats.kstest(moves.ravel(), scipy.stats.norm(scale=1.5).cdf).pvalue > 0.01
    correlation = np.corrcoef(moves.reshape(500, 32).T) - np.eye(32)
    assert np.abs(correlation).max() < 0.2


def test_a_pixel_is_a_pixel_on_both_axes_of_an_oblong_image():
    distortion = stnkit.build("distortion", "elastic", image_shape=(1, 20, 80), scale=(1.0, 1.0), std=1.5)
    moves = control_points(distortion.sample(400, torch.Generator().manual_seed(0))) - lattice()
    np.testing.assert_allclose(moves.std(axis=(0, 1)) * [40, 10], 1.5, rtol=0.05)


def test_without_moves_the_scale_covers_its_range_evenly():
    points = control_points(built(std=0.0).sample(2000, torch.Generator().manual_seed(0)))
    scale = 1 / points[:, -1, 0]
    np.testing.assert_allclose(points * scale[:, None, None], np.broadcast_to(lattice(), points.shape), atol=1e-6)
    assert scipy.stats.kstest(scale, scipy.stats.uniform(0.75, 0.25).cdf).pvalue > 0.01
