"""`localizer=polar`: features that turn, grow and move with the content of an image."""

import math

import numpy as np
import pytest
import torch

import stnkit

TURNS = [(0.4, 1.0, (0.0, 0.0)), (1.3, 0.8, (0.1, 0.0)), (2.6, 1.2, (0.0, 0.1)), (-1.9, 1.0, (0.1, -0.15))]


def built(seed=0, in_shape=(1, 64, 64), **options):
    torch.manual_seed(seed)
    return stnkit.build("localizer", "polar", in_shape=in_shape, **options).eval().double()


def blobs(seed=0, angle=0.0, scale=1.0, shift=(0.0, 0.0), size=(64, 64)):
    """A smooth image, turned clockwise about its middle, enlarged, then moved, in halves of its shorter side."""
    rng = np.random.default_rng(seed)
    height, width = size
    y, x = ((2 * torch.arange(n, dtype=torch.float64) + 1 - n) / min(size) for n in size)
    x, y = (x - shift[0])[None], (y - shift[1])[:, None]
    u = (math.cos(angle) * x + math.sin(angle) * y) / scale
    v = (math.cos(angle) * y - math.sin(angle) * x) / scale
    image = torch.zeros(height, width, dtype=torch.float64)
    for _ in range(6):
        a, b, sigma, weight = *rng.uniform(-0.35, 0.35, 2), rng.uniform(0.08, 0.16), rng.uniform(0.3, 1)
        image += weight * (-((u - a) ** 2 + (v - b) ** 2) / (2 * sigma**2)).exp()
    return image[None, None]


def degrees(angle):
    return abs(math.remainder(math.degrees(float(angle)), 360))


def moved(point, angle, scale, shift):
    cos, sin = math.cos(angle), math.sin(angle)
    turn = torch.tensor([[cos, -sin], [sin, cos]], dtype=torch.float64)
    return scale * turn @ point + torch.tensor(shift, dtype=torch.float64)


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (56, 72)])
@pytest.mark.parametrize("turn", TURNS)
def test_the_pose_turns_grows_and_moves_with_the_content(size, turn):
    angle, scale, _ = turn
    errors = []
    for seed in range(4):
        localizer = built(seed, (1, *size))
        first = localizer.pose(blobs(seed, size=size))
        second = localizer.pose(blobs(seed, *turn, size=size))
        errors.append(degrees(second.angle - first.angle - angle))
        assert abs(float(second.log_scale - first.log_scale) - math.log(scale)) < 0.02
        half_sides = torch.tensor(size[::-1], dtype=torch.float64) / min(size)
        expected = moved(first.center[0] * half_sides, *turn)
        torch.testing.assert_close(second.center[0] * half_sides, expected, atol=0.005, rtol=0)
    assert max(errors) < 3, errors


@torch.no_grad()
def test_the_features_in_the_frame_stay_and_vectors_turn():
    localizer, turn = built(features=5), (1.3, 0.8, (0.1, 0.0))
    first, second = localizer(blobs())[0], localizer(blobs(0, *turn))[0]
    torch.testing.assert_close(second[4:9], first[4:9], atol=0.01, rtol=0)
    for vector, was in zip(second[9:].view(2, 6).T, first[9:].view(2, 6).T, strict=True):
        torch.testing.assert_close(vector, moved(was, *turn[:2], (0, 0)), atol=0.03, rtol=0)


@torch.no_grad()
def test_a_quarter_turn_is_exact_for_any_weights():
    image = torch.rand(3, 2, 20, 20, dtype=torch.float64)
    localizer = built(in_shape=(2, 20, 20))
    first, second = localizer.pose(image), localizer.pose(image.rot90(-1, dims=(2, 3)))
    torch.testing.assert_close(second.log_scale, first.log_scale)
    x, y = first.direction.unbind(1)
    torch.testing.assert_close(second.direction, torch.stack([-y, x], dim=1), atol=1e-6, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", ["similarity", "affine"])
def test_a_turned_image_is_shown_like_the_image(name):
    family = stnkit.build("transform", name)
    transformer = stnkit.SpatialTransformer(
        built(features=5, gain=1.0), family, stnkit.build("sampler", "bilinear")
    ).double()
    weight = torch.zeros_like(transformer.head.weight)
    if name == "similarity":
        weight[:, :4] = torch.eye(4)
    else:  # A = s R(φ), t = c
        weight[0, 9] = weight[3, 15] = weight[4, 9] = 1
        weight[1, 15] = -1
        weight[2, 2] = weight[5, 3] = 1
        transformer.head.offset.copy_(-family.identity())
    transformer.head.weight.copy_(weight)
    shown = transformer(blobs())
    errors = [float((transformer(blobs(0, *turn)) - shown).abs().mean() / shown.abs().mean()) for turn in TURNS]
    assert max(errors) < 0.1, errors


@torch.no_grad()
def test_convolutions_are_circular_along_the_angles():
    localizer = built()
    image = torch.rand(2, 1, 32, 16, dtype=torch.float64)
    maps = localizer.layers(image)
    torch.testing.assert_close(localizer.layers(image.roll(5, dims=2)), maps.roll(5, dims=2))


@torch.no_grad()
def test_center_and_scale_are_moments_of_a_distribution():
    localizer = built(in_shape=(1, 96, 64))
    sigma, center = 0.2, torch.tensor([0.15, -0.3], dtype=torch.float64)
    y, x = ((2 * torch.arange(n, dtype=torch.float64) + 1 - n) / 64 for n in (96, 64))
    squared = (x - center[0]).square()[None] + (y - center[1]).square()[:, None]
    pose = localizer.pose((-squared / (4 * sigma**2)).exp()[None, None])  # its square has the deviation sigma
    expected = center * torch.tensor([1, 64 / 96])
    torch.testing.assert_close(pose.center[0], expected, atol=1e-3, rtol=0)
    assert abs(float(pose.log_scale) - math.log(2 * sigma * 2**0.5)) < 0.05


def test_blank_images_have_finite_features_and_gradients():
    localizer = built(in_shape=(1, 28, 28)).train()
    image = torch.full((2, 1, 28, 28), 0.5, dtype=torch.float64, requires_grad=True)
    features = localizer(image)
    features.sum().backward()
    torch.testing.assert_close(features[:, :4], torch.tensor([[0, 8 * math.log(2), 0, 0]] * 2).double())
    gradients = [image.grad, *(p.grad for p in localizer.parameters())]
    assert all(bool(g.isfinite().all()) for g in gradients if g is not None)


@torch.no_grad()
def test_images_of_other_sizes_are_read_in_averages():
    localizer = built(in_shape=(1, 130, 130))
    assert localizer.downsample == 3
    first, second = localizer.pose(blobs(size=(130, 130))), localizer.pose(blobs(size=(200, 200)))
    torch.testing.assert_close(second.center, first.center, atol=0.01, rtol=0)
    torch.testing.assert_close(second.log_scale, first.log_scale, atol=0.02, rtol=0)
    assert degrees(second.angle - first.angle) < 5


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("in_shape", "options", "message"),
    [
        ((1, 28), {}, "in_shape: expected (C, H, W) with sides of at least 4, got [1, 28]"),
        ((1, 3, 28), {}, "in_shape: expected (C, H, W) with sides of at least 4, got [1, 3, 28]"),
        ((1, 8, 8, 8), {}, "in_shape: expected (C, H, W) with sides of at least 4, got [1, 8, 8, 8]"),
        ((1, 28, 28), {"channels": []}, "channels: expected one or more widths of at least 1, got []"),
        ((1, 28, 28), {"angles": 4}, "angles: expected at least 5 for harmonics=2, got 4"),
        ((1, 28, 28), {"rings": 6}, "rings: expected a multiple of 4 for 2 convolutions, got 6"),
        ((1, 28, 28), {"gain": 0.0}, "gain: expected a finite number above 0, got 0.0"),
        (
            (1, 28, 28),
            {"features": 0},
            "harmonics, features, downsample: expected at least 1, got 2, 0, 1",
        ),
    ],
)
def test_options_of_polar_out_of_range_are_refused(in_shape, options, message):
    with pytest.raises(stnkit.errors.InputError) as error:
        built(in_shape=in_shape, **options)
    assert str(error.value) == f"localizer 'polar': {message}"
