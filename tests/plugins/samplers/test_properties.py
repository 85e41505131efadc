"""What every sampler promises, for random images, sizes and paddings."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import stnkit
from tests.samplers.oracles import padding_options, random_grid, random_image

INTERPOLATING = {
    "antialiased": {},
    "area": {},
    "bicubic": {"a": -0.6},
    "bilinear": {},
    "bspline": {"order": 4},
    "lanczos": {"lobes": 2},
    "multisample": {},
    "nearest": {},
}
ALL = {**INTERPOLATING, "gaussian": {"sigma": 0.4}}
DIFFERENTIABLE = {name: options for name, options in ALL.items() if name not in ("multisample", "nearest")}
ENDLESS = ["border", "reflection", "mirror", "circular"]

paddings = st.sampled_from(["zeros", "fill", *ENDLESS])
sizes = st.lists(st.integers(1, 7), min_size=2, max_size=2)
seeds = st.integers(0, 1000)
some = settings(max_examples=12, deadline=None, derandomize=True)


def sampler_of(name, padding):
    return stnkit.build("sampler", name, **ALL[name], **padding_options(padding))


def shifted_lattice(size, shift, batch=2):
    """The pixel centers, moved by whole or part pixels (x first)."""
    points = stnkit.coordinates.to_pixels(stnkit.coordinates.lattice(size, dtype=torch.float64), size)
    moved = points + torch.tensor(shift, dtype=torch.float64)
    return stnkit.coordinates.from_pixels(moved, size).expand(batch, *size, len(size))


@pytest.mark.parametrize("name", INTERPOLATING)
@some
@given(size=sizes, padding=paddings, seed=seeds)
def test_the_identity_gives_the_image(name, size, padding, seed):
    image = random_image(size, seed=seed)
    out = sampler_of(name, padding)(image, shifted_lattice(size, (0.0, 0.0)))
    assert (out - image).abs().max() < 1e-10


@pytest.mark.parametrize("name", INTERPOLATING)
@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_the_identity_gives_the_volume(name, padding):
    size = (2, 3, 4)
    image = random_image(size)
    out = sampler_of(name, padding)(image, shifted_lattice(size, (0.0, 0.0, 0.0)))
    assert (out - image).abs().max() < 1e-10


@pytest.mark.parametrize("name", ALL)
@some
@given(size=sizes, padding=st.sampled_from(ENDLESS), seed=seeds)
def test_a_constant_stays_constant(name, size, padding, seed):
    image = torch.full((2, 1, *size), 3.25, dtype=torch.float64)
    out = sampler_of(name, padding)(image, random_grid(2, seed=seed, reach=3.0))
    assert (out - 3.25).abs().max() < 1e-10


@pytest.mark.parametrize("name", ALL)
@some
@given(
    size=sizes,
    shift=st.tuples(st.integers(-9, 9), st.integers(-9, 9)),
    part=st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4)),
    seed=seeds,
)
def test_moving_the_image_by_whole_pixels_is_moving_the_grid(name, size, shift, part, seed):
    image, sampler = random_image(size, seed=seed), sampler_of(name, "circular")
    rolled = torch.roll(image, shift, dims=(-1, -2))
    moved_grid = shifted_lattice(size, (part[0] - shift[0], part[1] - shift[1]))
    assert (sampler(rolled, shifted_lattice(size, part)) - sampler(image, moved_grid)).abs().max() < 1e-10


@pytest.mark.parametrize("name", ALL)
@some
@given(
    padding=paddings,
    shift=st.tuples(st.integers(-3, 3), st.integers(-3, 3)),
    part=st.tuples(st.floats(0.05, 0.4), st.floats(-0.4, -0.05)),
)
def test_whole_pixel_shifts_show_the_same_pixels_inside(name, padding, shift, part):
    # The coefficients of a spline depend on all pixels, those at a distance d by 0.36^d.
    margin = 26 if name == "bspline" else 6
    size, sampler = (2 * margin + 6, 2 * margin + 7), sampler_of(name, padding)
    image = random_image(size)
    still = sampler(image, shifted_lattice(size, part))
    moved = sampler(image, shifted_lattice(size, (part[0] + shift[0], part[1] + shift[1])))
    assert (torch.roll(still, (-shift[0], -shift[1]), (-1, -2)) - moved)[
        ..., margin:-margin, margin:-margin
    ].abs().max() < 1e-10


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_kernels_sum_to_one_everywhere(name):
    # A constant over a long row, read inside: what is not one is the sum of the weights.
    image = torch.ones(1, 1, 64, 64, dtype=torch.float64)
    at = 32 + torch.linspace(-1, 1, 41, dtype=torch.float64)
    points = torch.stack([at, at.flip(0)], dim=-1)[None, None]
    grid = stnkit.coordinates.from_pixels(points, (64, 64))
    assert (sampler_of(name, "zeros")(image, grid) - 1).abs().max() < 1e-10


@pytest.mark.parametrize("name", ALL)
@some
@given(padding=paddings, seed=seeds)
def test_what_is_read_from_an_image_does_not_depend_on_the_batch(name, padding, seed):
    sampler, image = sampler_of(name, padding), random_image((4, 6), batch=3, seed=seed)
    grid = random_grid(2, batch=3, seed=seed)
    alone = torch.cat([sampler(image[i : i + 1], grid[i : i + 1]) for i in range(3)])
    assert (sampler(image, grid) - alone).abs().max() < 1e-12
    channels = torch.cat([sampler(image[:, c : c + 1], grid) for c in range(2)], dim=1)
    assert (sampler(image, grid) - channels).abs().max() < 1e-12


@pytest.mark.parametrize("name", DIFFERENTIABLE)
@settings(max_examples=5, deadline=None, derandomize=True)
@given(size=st.lists(st.integers(2, 5), min_size=2, max_size=2), padding=paddings, seed=seeds)
@pytest.mark.no_jaxtyping  # many evaluations of one shape
@pytest.mark.slow
def test_gradients_to_image_and_grid_are_right_away_from_kinks(name, size, padding, seed):
    pixels = stnkit.coordinates.to_pixels(random_grid(2, batch=1, n=2, seed=seed), size)
    # Between a tenth and four tenths off the center, also off the middle, where other pixels come into reach.
    off = pixels.round() + (0.1 + 0.3 * (pixels - pixels.round()).abs()) * (pixels - pixels.round()).sign()
    grid = stnkit.coordinates.from_pixels(off, size).requires_grad_()
    image = random_image(size, batch=1, channels=1, seed=seed).requires_grad_()
    assert torch.autograd.gradcheck(sampler_of(name, padding), (image, grid))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_empty_batches_give_empty_batches(name, padding):
    assert sampler_of(name, padding)(random_image((4, 5))[:0], random_grid(2)[:0]).shape == (0, 2, 3, 6)


@pytest.mark.parametrize("name", ALL)
def test_there_is_no_state_and_nothing_that_half_would_narrow(name):
    sampler, image, grid = sampler_of(name, "reflection"), random_image((4, 5)), random_grid(2)
    assert not sampler.state_dict()
    assert not list(sampler.parameters())
    expected = sampler(image, grid)
    assert torch.equal(sampler.half()(image, grid), expected)


# At some of these sizes a center of the identity lies left of a pixel's by a rounding error.
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_a_constant_image_has_no_gradient_to_the_grid(name, dtype):
    sampler = sampler_of(name, "border")
    sizes = [(n, n) for n in range(2, 130)] + [(9, 3), (12, 3), (15, 5), (20, 5), (33, 11), (56, 14), (10, 20)]
    for n, n_out in sizes:
        grid = stnkit.coordinates.lattice((1, n_out), dtype=dtype)[None].requires_grad_()
        (gradient,) = torch.autograd.grad(sampler(torch.ones(1, 1, 2, n, dtype=dtype), grid).sum(), grid)
        # In pixels: the derivatives of the weights cancel.
        assert gradient.abs().max() * 2 / n < 20 * torch.finfo(dtype).eps, (n, n_out)
