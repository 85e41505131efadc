"""The distortion between the images of a pair: the moving image is kept, the fixed one is distorted."""

import pytest
import torch

import stnkit


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built(distortion="elastic", shape=(2, 28, 28)):
    return stnkit.build("distortion", "pair", image_shape=shape, distortion=distortion)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_fixed_image_alone_is_distorted(channels):
    pair = built(shape=(2 * channels, 20, 28))
    alone = stnkit.build("distortion", "elastic", image_shape=(channels, 20, 28))
    images = torch.rand(4, 2 * channels, 20, 28)
    theta = pair.sample(4, generator())
    assert torch.equal(theta, alone.sample(4, generator()))
    out = pair.apply(images, theta, generator(1))
    assert torch.equal(out[:, :channels], images[:, :channels])
    assert torch.equal(out[:, channels:], alone.apply(images[:, channels:], theta, generator(1)))


def test_theta_is_the_map_that_registration_looks_for():
    pair, images = built(), torch.rand(4, 1, 28, 28).expand(-1, 2, -1, -1)
    theta = pair.sample(4, generator())
    moving, fixed = pair.apply(images, theta, generator()).chunk(2, dim=1)
    warped = stnkit.warp(pair.family, theta, moving, stnkit.build("sampler", "bilinear"))
    torch.testing.assert_close(warped, fixed)
    assert stnkit.distortions.gives_true_theta(pair, pair=True)
    assert not stnkit.distortions.gives_true_theta(pair, pair=False)


def test_a_pair_of_volumes_can_be_left_as_it_is():
    pair, images = built("none", (2, 8, 9, 10)), torch.rand(2, 2, 8, 9, 10)
    assert torch.equal(pair.apply(images, pair.sample(2, generator()), generator()), images)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("distortion", "shape", "message"),
    [
        ("elastic", (3, 28, 28), "distortion=pair: expected pairs of images, an even number of channels, got 3"),
        ("rts", (2, 28, 28), r"expected one that keeps the size \[28, 28\] of images, got rts, which gives \[42, 42\]"),
        (
            {"name": "independent_channels", "distortion": "rotation"},
            (4, 28, 28),
            "expected one whose theta describes all channels, such as elastic, got independent_channels",
        ),
        ("pair", (4, 28, 28), "expected one whose theta describes all channels, such as elastic, got pair"),
        ("nonsense", (2, 28, 28), "no distortion 'nonsense'"),
    ],
)
def test_what_gives_no_pair_is_one_sentence(distortion, shape, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        built(distortion, shape)
