"""The channels of an image under draws of their own."""

import pytest
import torch

import stnkit


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built(distortion, channels=2):
    return stnkit.build("distortion", "independent_channels", image_shape=(channels, 28, 28), distortion=distortion)


def test_theta_is_that_of_the_first_channel():
    both, one = built("rts"), stnkit.build("distortion", "rts", image_shape=(1, 28, 28))
    images = torch.rand(5, 2, 28, 28)
    theta = both.sample(5, generator())
    assert torch.equal(theta, one.sample(5, generator()))
    out = both.apply(images, theta, generator(1))
    assert out.shape == (5, 2, 42, 42)
    assert torch.equal(out[:, :1], one.apply(images[:, :1], theta, generator(1)))


def test_it_says_that_theta_describes_one_channel_only():
    assert not built("rts").channels_move_together
    assert stnkit.build("distortion", "rts", image_shape=(2, 28, 28)).channels_move_together


def test_the_other_channels_follow_from_the_generator_of_apply():
    both = built("rts", channels=3)
    images = torch.rand(4, 1, 28, 28).expand(-1, 3, -1, -1)
    theta = both.sample(4, generator())
    out, again, other = (both.apply(images, theta, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(out, again)
    assert torch.equal(out[:, 0], other[:, 0])
    for b in range(4):
        # No two channels, no two images, and no two seeds alike.
        assert not any(torch.equal(out[b, i], out[b, j]) for i, j in ((0, 1), (0, 2), (1, 2)))
        assert not torch.equal(out[b, 1], other[b, 1])
        assert not torch.equal(out[b, 1], out[(b + 1) % 4, 1])


def test_channels_share_the_distribution_and_not_the_draws():
    both = built({"name": "translated_cluttered", "patches": 0})
    spot = torch.zeros(3000, 2, 28, 28)
    spot[:, :, 0, 0] = 1
    out = both.apply(spot, both.sample(3000, generator()), generator(1))
    at = out.flatten(2).argmax(dim=2)
    x = (at % 60).double()
    # Uniform on 0 … 32: mean 16, standard deviation 9.52.
    torch.testing.assert_close(x.mean(dim=0), torch.full((2,), 16.0, dtype=torch.float64), atol=0.6, rtol=0)
    torch.testing.assert_close(x.std(dim=0), torch.full((2,), 9.52, dtype=torch.float64), atol=0.3, rtol=0)
    assert abs(float(torch.corrcoef(x.T)[0, 1])) < 0.06


@pytest.mark.parametrize("distortion", ["none", "rotation", "projective", "elastic", "translated_cluttered"])
def test_one_channel_is_distorted_as_ever(distortion):
    one = stnkit.build("distortion", distortion, image_shape=(1, 28, 28))
    images, theta = torch.rand(3, 1, 28, 28), one.sample(3, generator())
    expected = one.apply(images, theta, generator(1))
    assert torch.equal(built(distortion, channels=1).apply(images, theta, generator(1)), expected)
