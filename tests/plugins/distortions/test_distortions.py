import numpy as np
import pytest
import scipy.ndimage
import torch

import stnkit
from stnkit.plugin_system.registry import plugin_registry

# Of ours; what every distortion has to do is checked where everything is.
DISTORTIONS = [
    e.name for e in plugin_registry().registered if (e.kind, e.source.distribution) == ("distortion", "stnkit")
]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built(name, image_shape=(1, 28, 28), **options):
    return stnkit.build("distortion", name, image_shape=image_shape, **options)


@pytest.mark.parametrize("name", DISTORTIONS)
def test_draws_differ_between_images_and_between_generators(name):
    distortion = built(name, (2, 28, 28))  # of which pairs are made
    theta = distortion.sample(50, generator(3))
    if name != "none":
        # Places in whole pixels may come twice.
        assert len(theta.unique(dim=0)) > 45
        assert not torch.equal(theta, distortion.sample(50, generator(4)))


@pytest.mark.parametrize("name", DISTORTIONS)
def test_apply_gives_the_promised_size_and_keeps_the_range(name):
    distortion = built(name, (2, 28, 28))
    images = torch.rand(5, 2, 28, 28)
    out = distortion.apply(images, distortion.sample(5, generator()), generator())
    assert out.shape == (5, 2, *distortion.out_size)
    assert 0 <= out.min() <= out.max() <= 1 + 1e-6


@pytest.mark.parametrize("name", ["rotation", "rts", "projective", "elastic"])
def test_theta_tells_how_to_reproduce_the_image(name):
    distortion = built(name)
    images = torch.rand(4, 1, 28, 28)
    theta = distortion.sample(4, generator())
    grid = distortion.family.grid(theta, distortion.out_size)
    expected = stnkit.build("sampler", "bilinear")(images, grid)
    torch.testing.assert_close(distortion.apply(images, theta, generator()), expected)


@pytest.mark.parametrize("degrees", [90.0, -37.0])
def test_a_positive_angle_turns_counter_clockwise_as_scipy_does(degrees):
    image = scipy.ndimage.gaussian_filter(np.random.default_rng(0).random((28, 28)), 2)
    theta = stnkit.distortions.pose_theta(
        torch.tensor([degrees], dtype=torch.float64),
        torch.ones(1, dtype=torch.float64),
        torch.zeros(1, 2, dtype=torch.float64),
        (28, 28),
        (28, 28),
    )
    grid = stnkit.build("transform", "affine").grid(theta, (28, 28)).double()
    turned = stnkit.build("sampler", "bilinear")(torch.from_numpy(image)[None, None], grid)[0, 0]
    expected = scipy.ndimage.rotate(image, degrees, reshape=False, order=1, mode="grid-constant")
    np.testing.assert_allclose(turned, expected, atol=1e-5)


def test_pose_moves_and_scales_in_pixels():
    one = torch.ones(1, dtype=torch.float64)
    theta = stnkit.distortions.pose_theta(
        0 * one, 2 * one, torch.tensor([[5.0, -3.0]], dtype=torch.float64), (11, 15), (40, 50)
    )
    family = stnkit.build("transform", "affine")
    # The center of the original, index (7, 5), is at the center of the result plus (5, −3).
    at = stnkit.coordinates.from_pixels(torch.tensor([[[24.5 + 5, 19.5 - 3], [24.5 + 7, 19.5 - 3]]]), (40, 50))
    source = stnkit.coordinates.to_pixels(family(theta, at), (11, 15))
    torch.testing.assert_close(source, torch.tensor([[[7.0, 5.0], [8.0, 5.0]]]), atol=1e-5, rtol=1e-5)


def test_rotation_covers_its_range_evenly():
    theta = built("rotation").sample(4000, generator())
    degrees = torch.rad2deg(torch.atan2(theta[:, 3], theta[:, 0])).double()
    assert degrees.abs().max() <= 90 + 1e-4
    # The standard deviation of U(−90, 90) is 180/√12.
    assert abs(float(degrees.std()) - 180 / 12**0.5) < 1.5
    assert abs(float(degrees.mean())) < 3


def test_rts_leaves_the_scaled_image_on_the_canvas():
    theta = built("rts").sample(2000, generator()).double().view(-1, 2, 3)
    scale = (42 / 28) / theta[:, :, :2].det().sqrt()
    assert 0.7 - 1e-5 <= scale.min() < 0.72
    assert 1.18 < scale.max() <= 1.2 + 1e-5
    # Where the center of the digit is on the canvas: the solution of A p + t = 0, in pixels from the middle.
    center = torch.linalg.solve(theta[:, :, :2], -theta[:, :, 2]) * 21
    assert bool((center.abs() <= ((42 - 28 * scale) / 2)[:, None] + 1e-4).all())


def test_no_distortion_leaves_the_images_unchanged():
    distortion = built("none")
    images = torch.rand(3, 1, 28, 28)
    theta = distortion.sample(3, generator())
    assert torch.equal(distortion.apply(images, theta, generator()), images)
    assert torch.equal(theta[0].double(), distortion.family.identity())


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("rotation", {"degrees": 181.0}, "degrees: expected a number between 0 and 180, got 181.0"),
        ("rts", {"scale": (0.0, 1.0)}, "rising finite numbers above 0"),
        ("rts", {"scale": (1.0, float("inf"))}, "rising finite numbers above 0"),
        ("rts", {"canvas": (30, 30)}, r"canvas: expected room for images of \[28, 28\] at scale 1.2, got \[30, 30\]"),
        ("projective", {"corner_std": 14.5}, "corner_std: expected 0 to 14.0, half of the smaller side, got 14.5"),
        ("projective", {"scale": (1.0, 0.5)}, "rising numbers between 0.1 and 10"),
        ("projective", {"scale": (1e-200, 1.0)}, "rising numbers between 0.1 and 10"),
        ("elastic", {"std": -1.0}, "std: expected 0 or more, got -1.0"),
        ("elastic", {"scale": (0.0, 0.5)}, "rising finite numbers above 0"),
        ("elastic", {"control_points": [1, 4]}, "expected 2 whole numbers of at least 2"),
        (
            "translated_cluttered",
            {"canvas": (27, 60)},
            r"expected room for images of \[28, 28\], got \[27, 60\]",
        ),
        ("translated_cluttered", {"patches": -1}, "patches: expected 0 or more, got -1"),
        ("translated_cluttered", {"patch_size": 29}, "patch_size: expected 1 to 28, the image's smaller side, got 29"),
        ("independent_channels", {"distortion": "nonsense"}, "no distortion 'nonsense'"),
    ],
)
def test_options_out_of_range_are_refused(name, options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        built(name, **options)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["elastic", "projective", "rotation", "rts", "translated_cluttered"])
def test_planar_distortions_refuse_volumes(name):
    with pytest.raises(stnkit.errors.InputError, match=r"image_shape: expected \(C, H, W\), got \[1, 16, 16, 16\]"):
        stnkit.build("distortion", name, image_shape=(1, 16, 16, 16))
