"""Distortions of images of any size and number of channels, with a choice of what lies outside."""

import pytest
import torch

import stnkit

NAMES = ["rotation", "rts", "projective", "elastic"]
COLOR = [0.2, 0.4, 0.6]


def generator():
    return torch.Generator().manual_seed(0)


def distorted(name, images, **options):
    distortion = stnkit.build("distortion", name, image_shape=tuple(images.shape[1:]), **options)
    theta = distortion.sample(len(images), generator())
    return distortion.apply(images, theta, generator()), distortion, theta


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, 48, 64), (4, 224, 160), (1, 7, 9)])
def test_any_image_is_distorted_with_the_defaults(name, shape):
    found, distortion, _ = distorted(name, torch.rand(5, *shape))
    assert found.shape == (5, shape[0], *distortion.out_size)
    assert 0 <= found.min() <= found.max() <= 1 + 1e-6
    assert distortion.out_size == (tuple(-(-3 * n // 2) for n in shape[1:]) if name == "rts" else shape[1:])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("padding", [1.0, [1.0, 1.0, 1.0], "border"])
def test_a_white_image_on_white_or_with_its_border_stays_white(name, padding):
    found, *_ = distorted(name, torch.ones(6, 3, 48, 64), padding=padding)
    torch.testing.assert_close(found, torch.ones_like(found))
    zeros, *_ = distorted(name, torch.ones(6, 3, 48, 64))
    assert zeros.min() == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_color_is_seen_where_zeros_were(name):
    images = torch.rand(6, 3, 48, 64)
    (plain, _, theta), (colored, distortion, again) = (
        distorted(name, images, padding=padding) for padding in ("zeros", COLOR)
    )
    assert torch.equal(theta, again)  # the padding changes no draw
    grid = distortion.family.grid(theta, distortion.out_size)
    covered = stnkit.build("sampler", "bilinear")(torch.ones(6, 1, 48, 64), grid)
    expected = plain + (1 - covered) * torch.tensor(COLOR).view(3, 1, 1)
    torch.testing.assert_close(colored, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_larger_image_is_distorted_in_proportion(name):
    """θ is normalized, so the same draws on an image of three times the size are the same θ."""
    small, large = (stnkit.build("distortion", name, image_shape=(1, n, n)) for n in (28, 84))
    thetas = [distortion.sample(200, generator()) for distortion in (small, large)]
    torch.testing.assert_close(*thetas, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "options"), [("rts", {"canvas": (42, 42)}), ("projective", {"corner_std": 5.0}), ("elastic", {"std": 1.5})]
)
def test_defaults_of_the_papers_images_are_those_of_the_paper(name, options):
    default, given = (stnkit.build("distortion", name, image_shape=(1, 28, 28), **o) for o in ({}, options))
    assert tuple(default.out_size) == tuple(given.out_size)
    assert torch.equal(default.sample(50, generator()), given.sample(50, generator()))


def test_a_canvas_has_room_for_the_largest_scale():
    rts = stnkit.build("distortion", "rts", image_shape=(3, 31, 40), scale=(1.0, 1.7))
    assert rts.out_size == (53, 68)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("padding", ["reflection", "black", 1.5, -0.1, [0.5], [0.1, 0.2, 3.0], [], float("nan")])
def test_other_paddings_are_refused(name, padding):
    message = "padding: expected zeros, border or a color, a number from 0 to 1 or one for each of the 3 channels, got"
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("distortion", name, image_shape=(3, 48, 64), padding=padding)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("padding", [True, None, {"a": 1}])
def test_a_padding_of_another_type_is_refused(padding):
    with pytest.raises(stnkit.errors.InputError, match="padding: expected "):
        stnkit.build("distortion", "rotation", image_shape=(3, 48, 64), padding=padding)
