"""`sampled_channels`: the localizer sees both images of a pair, and the sampler reads the moving one."""

import re

import pytest
import torch

import stnkit


def transformer(recurrent=1, sampled_channels=1, channels=2, **options):
    made = stnkit.SpatialTransformer(
        stnkit.build("localizer", "fully_connected", in_shape=(channels, 12, 12)),
        stnkit.build("transform", "affine"),
        stnkit.build("sampler", "bilinear"),
        recurrent=recurrent,
        sampled_channels=sampled_channels,
        **options,
    )
    with torch.no_grad():
        made.head.weight.normal_(std=0.05)
    return made


def test_the_moving_image_is_warped_by_theta_of_the_pair():
    made, pair = transformer(out_size=(5, 7)), torch.rand(3, 2, 12, 12)
    theta = made.head(made.localizer(pair))
    expected = stnkit.warp(made.family, theta, pair[:, :1], made.sampler, (5, 7))
    assert made(pair).shape == (3, 1, 5, 7)
    assert torch.equal(made(pair), expected)


def test_theta_depends_on_both_images():
    made, pair = transformer(), torch.rand(3, 2, 12, 12)
    for channel in (0, 1):
        other = pair.clone()
        other[:, channel] = torch.rand(3, 12, 12)
        assert not torch.allclose(made.localize(other), made.localize(pair))


def test_recurrent_steps_see_the_fixed_image_as_it_is():
    made, pair = transformer(recurrent=2), torch.rand(3, 2, 12, 12)
    seen = []
    made.localizer.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    theta = made.localize(pair)
    first = made.head(made.localizer(pair))
    assert torch.equal(seen[1][:, 1], pair[:, 1])
    assert torch.equal(seen[1][:, :1], stnkit.warp(made.family, first, pair[:, :1], made.sampler))
    assert torch.equal(theta, made.family.compose(first, made.head(made.localizer(seen[1]))))


def test_without_it_every_channel_is_read():
    made, image = transformer(sampled_channels=None), torch.rand(3, 2, 12, 12)
    assert made(image).shape == (3, 2, 12, 12)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("given", [0, -1, 2.0, True, "1", [1]])
def test_what_is_no_number_of_channels_is_refused(given):
    expected = re.escape(f"sampled_channels: expected a whole number of at least 1 or None, got {given!r}")
    with pytest.raises(stnkit.errors.InputError, match=f"^{expected}$"):
        transformer(sampled_channels=given)


@pytest.mark.parametrize("recurrent", [1, 2])
def test_more_channels_than_an_image_has_are_refused(recurrent):
    expected = "sampled_channels: expected at most the 2 channels of the image, got 3"
    with pytest.raises(stnkit.errors.InputError, match=f"^{expected}$"):
        transformer(recurrent, sampled_channels=3)(torch.rand(3, 2, 12, 12))
    assert transformer(recurrent, sampled_channels=2)(torch.rand(3, 2, 12, 12)).shape == (3, 2, 12, 12)
