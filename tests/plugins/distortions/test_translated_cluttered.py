"""The distortion TC: where the digit is, and that the clutter is what it is said to be."""

import pytest
import scipy.stats
import torch

import stnkit

# Rounding of the coordinates leaves less than this beside the digit.
FAINT = 1e-3


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def built(image_shape=(1, 28, 28), **options):
    return stnkit.build("distortion", "translated_cluttered", image_shape=image_shape, **options)


def positions(theta):
    """(x, y) of the top left corner of the digit on the canvas, in pixels, from θ: p_in = (60/28) p_out + t."""
    return 16 - theta[:, [2, 5]].double() * 14


def on_canvas(images, theta):
    """The digits pasted pixel by pixel."""
    canvas = torch.zeros(*images.shape[:2], 60, 60)
    for canvas_of_one, image, (x, y) in zip(canvas, images, positions(theta).round().int().tolist(), strict=True):
        canvas_of_one[:, y : y + 28, x : x + 28] = image
    return canvas


def test_without_clutter_the_digit_is_copied_to_its_place():
    distortion = built((2, 28, 28), patches=0)
    images, theta = torch.rand(10, 2, 28, 28), distortion.sample(10, generator())
    torch.testing.assert_close(
        distortion.apply(images, theta, generator()), on_canvas(images, theta), atol=1e-4, rtol=0
    )


def test_every_whole_place_is_as_likely_as_any_other():
    at = positions(built().sample(20_000, generator()))
    torch.testing.assert_close(at, at.round(), atol=1e-4, rtol=0)
    for axis in at.round().long().T:
        counts = axis.bincount(minlength=33)
        assert len(counts) == 33
        assert scipy.stats.chisquare(counts).pvalue > 0.01


def marked(batch):
    """Images of one brightness each, all different."""
    return (torch.arange(batch) + 1.0).div(batch)[:, None, None, None].expand(batch, 1, 28, 28).contiguous()


def test_patches_are_cut_from_other_digits_only():
    distortion, images = built(), marked(8)
    theta = distortion.sample(8, generator())
    seen = set()
    for seed in range(5):
        out = distortion.apply(images, theta, generator(seed))
        beside = on_canvas(torch.ones_like(images), theta) == 0
        for b in range(8):
            values = out[b][beside[b]].unique()
            found = {round(8 * v) - 1 for v in values[values > FAINT].tolist()}
            assert b not in found
            seen |= found
    assert seen == set(range(8))


def test_patches_have_size_and_number_and_never_darken_the_digit():
    distortion, images = built(), marked(30)
    theta = distortion.sample(30, generator())
    out = distortion.apply(images, theta, generator())
    pasted = on_canvas(images, theta)
    assert bool((out >= pasted - 1e-5).all())
    beside = on_canvas(torch.ones_like(images), theta) == 0
    counts = ((out > FAINT) & beside).sum(dim=(1, 2, 3))
    assert int(counts.max()) <= 6 * 36
    # On average 28²/60² of the patches lie over the digit, few over each other.
    assert counts.double().mean() > 0.6 * 6 * 36


def test_a_patch_is_a_piece_of_the_other_image_unchanged():
    distortion = built(patches=1)
    images = torch.rand(2, 1, 28, 28)
    images[0] = 0
    out = distortion.apply(images, distortion.sample(2, generator()), generator(1))[0, 0]
    rows, columns = (out > 0).any(dim=1).nonzero().flatten(), (out > 0).any(dim=0).nonzero().flatten()
    assert len(rows) == len(columns) == 6
    patch = out[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    pieces = images[1, 0].unfold(0, 6, 1).unfold(1, 6, 1)
    assert bool((pieces == patch).all(dim=(2, 3)).any())


def test_the_clutter_follows_from_the_generator_alone():
    distortion, images = built(), torch.rand(6, 1, 28, 28)
    theta = distortion.sample(6, generator())
    first = distortion.apply(images, theta, generator(1))
    assert torch.equal(first, distortion.apply(images, theta, generator(1)))
    assert not torch.equal(first, distortion.apply(images, theta, generator(2)))


def test_a_single_image_is_cluttered_with_pieces_of_itself():
    distortion, images = built(), torch.full((1, 1, 28, 28), 0.5)
    theta = distortion.sample(1, generator())
    out = distortion.apply(images, theta, generator())
    assert set(out.mul(2).round().unique().tolist()) == {0.0, 1.0}
    assert int((out > 0).sum()) > 28 * 28


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_any_batch_has_its_shape(batch):
    distortion = built((3, 28, 30), canvas=(40, 44))
    theta = distortion.sample(batch, generator())
    assert distortion.apply(torch.rand(batch, 3, 28, 30), theta, generator()).shape == (batch, 3, 40, 44)
