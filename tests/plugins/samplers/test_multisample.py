import math

import numpy as np
import pytest
import torch

import stnkit
from tests.samplers.oracles import PADDINGS, padding_options, random_grid, random_image, scipy_sample


def grid_at(*pixels, size):
    points = torch.tensor([[pixels]], dtype=torch.float64)
    return stnkit.coordinates.from_pixels(points, size)


def gradient(sampler, image, grid, loss=torch.sum):
    grid = grid.clone().requires_grad_()
    return torch.autograd.grad(loss(sampler(image, grid)), grid)[0]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(6, 9), (1, 7), (3, 4, 5)])
def test_values_and_image_gradients_are_those_of_bilinear(size, padding):
    options, grid = padding_options(padding), random_grid(len(size))
    expected = scipy_sample(random_image(size), grid, 1, padding)
    results = []
    for name in ("multisample", "bilinear"):
        image, points = random_image(size).requires_grad_(), grid.clone().requires_grad_()
        out = stnkit.build("sampler", name, **options)(image, points)
        assert np.abs(out.detach().numpy() - expected).max() < 1e-10
        results.append(torch.autograd.grad(out.square().sum(), image)[0])
    assert (results[0] - results[1]).abs().max() < 1e-10


@pytest.mark.parametrize("size", [(20, 30), (12, 14, 16)])
def test_the_slope_of_a_linear_image_is_exact(size):
    slopes = [0.5, -2.0, 1.25][: len(size)]
    lattice = stnkit.coordinates.lattice(size, dtype=torch.float64)
    image = sum(slope * lattice[..., d] for d, slope in enumerate(slopes))[None, None]
    grid = 0.1 * random_grid(len(size), batch=1, n=70)
    sampler = stnkit.build("sampler", "multisample", radius=0.5)
    assert (gradient(sampler, image, grid) - torch.tensor(slopes, dtype=torch.float64)).abs().max() < 1e-10


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(6, 9), (3, 4, 5)])
def test_the_slope_is_that_of_the_least_squares_plane(size, padding):
    # The sampler's own points, read by SciPy and fitted by numpy.
    image, grid = random_image(size, batch=1, channels=1), random_grid(len(size), batch=1, n=1)[:, :1, :1]
    sampler = stnkit.build("sampler", "multisample", **padding_options(padding))
    noise = torch.cat([torch.zeros(1, len(size), dtype=torch.float64), sampler._noise[len(size)][0]])
    points = stnkit.coordinates.to_pixels(grid.reshape(1, -1), size) + noise
    shape = (1, *[1] * (len(size) - 1), len(points), len(size))
    values = scipy_sample(image, stnkit.coordinates.from_pixels(points, size).view(shape), 1, padding)
    design = np.concatenate([noise.numpy(), np.ones((len(noise), 1))], axis=1)
    plane = np.linalg.lstsq(design, values.ravel(), rcond=None)[0]
    expected = plane[:-1] * np.array(size[::-1]) / 2
    first = gradient(sampler, image, grid, lambda out: out.flatten()[0]).reshape(-1, len(size))[0]
    assert np.abs(first.numpy() - expected).max() < 1e-10


def blob(size, center, width=0.7):
    pixels = stnkit.coordinates.to_pixels(stnkit.coordinates.lattice(size, dtype=torch.float64), size)
    square = (pixels - torch.tensor(center, dtype=torch.float64)).square().sum(dim=-1)
    return torch.where(square < 2, torch.exp(-square / (2 * width**2)), 0.0)[None, None]


@pytest.mark.parametrize("angle", [0, 45, 90, 200])
def test_the_gradient_points_to_a_blob_that_bilinear_misses(angle):
    size, distance = (25, 25), 3.0
    direction = torch.tensor([math.cos(math.radians(angle)), math.sin(math.radians(angle))]).double()
    image = blob(size, (12.0 + distance * direction).tolist())
    # The same point many times over, each with other noise.
    grid = grid_at(*[(12.0, 12.0)] * 61, size=size)
    assert not gradient(stnkit.build("sampler", "bilinear"), image, grid).any()
    slope = gradient(stnkit.build("sampler", "multisample"), image, grid).mean(dim=(0, 1, 2))
    assert torch.dot(slope / slope.norm(), direction) > 0.9


def test_optimization_finds_a_translation_that_bilinear_misses():
    # The blob and its target do not overlap, so that bilinear has nothing to follow.
    size, move = (32, 32), 3.0
    image, target = (blob(size, (20.0 - shift, 14.0), width=1.0) for shift in (0.0, move))
    family = stnkit.build("transform", "translation")
    left = {}
    for name in ("bilinear", "multisample"):
        sampler = stnkit.build("sampler", name)
        theta = family.identity()[None].clone().requires_grad_()
        optimizer = torch.optim.Adam([theta], lr=0.02)
        for _ in range(100):
            optimizer.zero_grad()
            (sampler(image, family.grid(theta, size)) - target).square().sum().backward()
            optimizer.step()
        left[name] = (theta[0, 0] * size[1] / 2 - move).abs().item()
    assert left["multisample"] < 0.3
    assert left["bilinear"] > 2.0


def test_noise_follows_the_seed_and_leaves_the_global_rng_alone():
    image, grid = random_image((6, 9)), random_grid(2)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = gradient(stnkit.build("sampler", "multisample"), image, grid)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(gradient(stnkit.build("sampler", "multisample"), image, grid), first)
    assert not torch.equal(gradient(stnkit.build("sampler", "multisample", seed=1), image, grid), first)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 3}, "samples: expected a whole number of at least 4"),
        ({"radius": 0.0}, "radius: expected 0.1 to 1000 pixels"),
        ({"radius": float("nan")}, "radius: expected 0.1 to 1000 pixels"),
        ({"seed": 2**64}, "seed: expected a whole number of 64 bits, got 18446744073709551616"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("sampler", "multisample", **options)
