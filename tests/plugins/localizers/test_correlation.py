"""The correlation of two images against its definition, entry by entry."""

import itertools

import pytest
import torch

import stnkit

InputError = stnkit.errors.InputError


def built(in_shape, **options):
    return stnkit.build("localizer", "correlation", in_shape=in_shape, **options).eval()


def standardized(images):
    axes = tuple(range(1, images.ndim))
    std, mean = torch.std_mean(images, dim=axes, correction=0, keepdim=True)
    return (images - mean) / (std**2 + 1e-4).sqrt()


@pytest.mark.parametrize("size", [(16, 24), (8, 12, 16)])
def test_correlations_are_products_of_features_at_shifted_cells(size):
    ndim = len(size)
    localizer = built((4, *size), channels=[3, 5], radius=1)
    images = torch.rand(2, 4, *size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found = localizer.correlations(images)
        encoded = [localizer.encoder(standardized(half)) for half in (images[:, :2], images[:, 2:])]
    cells = tuple(side // 4 for side in size)
    spatial = tuple(range(2, 2 + ndim))
    moving, fixed = (e - e.mean(dim=spatial, keepdim=True) for e in encoded)
    moving, fixed = (e / e.norm(dim=1, keepdim=True) for e in (moving, fixed))
    shifts = list(itertools.product((-1, 0, 1), repeat=ndim))
    assert found.shape == (2, len(shifts), *cells)
    for k, shift in enumerate(shifts):
        for p in itertools.product(*map(range, cells)):
            q = tuple(a + b for a, b in zip(p, shift, strict=True))
            inside = all(0 <= a < n for a, n in zip(q, cells, strict=True))
            expected = (fixed[:, :, *p] * moving[:, :, *q]).sum(dim=1) if inside else torch.zeros(2)
            torch.testing.assert_close(found[:, k, *p], expected, atol=1e-5, rtol=0)


def test_the_correlation_is_highest_at_the_shift_of_an_image():
    localizer = built((2, 128, 128))
    large = torch.rand(4, 1, 160, 160, generator=torch.Generator().manual_seed(0))
    # The fixed image shows, in each cell, what the moving one has two cells of 8 pixels to the right and one up.
    pair = torch.cat([large[..., 16:144, 16:144], large[..., 8:136, 32:160]], dim=1)
    with torch.no_grad():
        mean = localizer.correlations(pair)[..., 3:-3, 3:-3].mean(dim=(0, 2, 3))
    row, column = divmod(int(mean.argmax()), 11)
    assert (row - 5, column - 5) == (-1, 2)


def test_brightness_and_contrast_of_an_image_hardly_matter():
    localizer = built((2, 32, 32))
    pair = torch.rand(3, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    other = torch.cat([0.3 + 0.5 * pair[:, :1], 0.9 * pair[:, 1:]], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(localizer(other), localizer(pair), atol=0.01, rtol=0)
        assert bool(localizer(torch.zeros(1, 2, 32, 32)).isfinite().all())


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (61, 97), (16, 16, 16), (9, 20, 13)])
def test_pairs_of_any_size_have_features(size):
    localizer = built((2, *size), channels=[4, 6], radius=2, width=5, features=7)
    assert localizer(torch.rand(3, 2, *size)).shape == (3, 7)


@pytest.mark.no_jaxtyping
@pytest.mark.parametrize(
    ("in_shape", "options", "message"),
    [
        ((3, 28, 28), {}, "expected (2C, H, W) or (2C, D, H, W), the channels of two images, got [3, 28, 28]"),
        ((2, 28), {}, "expected (2C, H, W) or (2C, D, H, W), the channels of two images, got [2, 28]"),
        ((2, 28, 28), {"channels": []}, "channels: expected one or more widths of at least 1, got []"),
        ((2, 28, 28), {"channels": [4, 0]}, "channels: expected one or more widths of at least 1, got [4, 0]"),
        ((2, 28, 28), {"radius": 0}, "radius, width, features: expected at least 1, got 0, 48, 256"),
    ],
)
def test_options_of_correlation_out_of_range_are_refused(in_shape, options, message):
    with pytest.raises(InputError) as error:
        built(in_shape, **options)
    assert message in str(error.value)
