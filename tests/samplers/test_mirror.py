"""Padding by mirrors at the centers of the first and the last pixel, against torch's own reflection by `F.pad`."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import stnkit
from tests.samplers.oracles import random_grid, random_image
from tests.samplers.test_padding import NAMES

# Each is torch's `grid_sample` of an image that is padded beforehand.
TORCH = {"bilinear": "bilinear", "bicubic": "bicubic", "nearest": "nearest", "multisample": "bilinear"}


def mirrored_image(image, margin):
    """The image with `margin` more pixels on each side."""
    ndim = image.ndim - 2
    return F.pad(image, [margin] * (2 * ndim), mode="reflect")


# Torch has no tricubic interpolation.
CASES = [(name, size) for name in TORCH for size in [(6, 9), (8, 7), (5, 6, 7)] if name != "bicubic" or len(size) == 2]


@pytest.mark.parametrize(("name", "size"), CASES)
def test_it_is_the_image_padded_by_torch(name, size):
    image, grid, margin = random_image(size), random_grid(len(size), reach=1.3), min(size) - 1
    wide = mirrored_image(image, margin)
    extent = torch.tensor(size[::-1], dtype=grid.dtype)
    expected = F.grid_sample(wide, grid * extent / (extent + 2 * margin), mode=TORCH[name], align_corners=False)
    sampler = stnkit.build("sampler", name, padding="mirror")
    assert (sampler(image, grid) - expected).abs().max() < 1e-10
    assert (sampler(image.float(), grid.float()) - expected).abs().max() < 1e-5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(4, 8), (2, 4, 8)])
def test_it_is_symmetric_about_the_centers_of_both_ends(name, size):
    sampler, image = stnkit.build("sampler", name, padding="mirror"), random_image(size)
    # Not the middle between two pixels, where the nearest one is that of the larger index on both sides.
    grid = random_grid(len(size), reach=1.9)
    end = 1 - 1 / torch.tensor(size[::-1], dtype=grid.dtype)
    if name == "antialiased":
        grid = grid * 1e-3 + 0.99
    for center in (end, -end):
        assert (sampler(image, 2 * center - grid) - sampler(image, grid)).abs().max() < 1e-10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(1, 5), (5, 1), (1, 1), (1, 3, 4)])
def test_an_axis_of_one_pixel_is_constant(name, size):
    sampler, image = stnkit.build("sampler", name, padding="mirror"), random_image(size)
    grid = random_grid(len(size), reach=3.0)
    if sampler.exact_gradient:
        grid.requires_grad_()
    axes = [-1 - d for d, n in enumerate(size) if n == 1]
    out, moved = sampler(image, grid), grid.detach().clone()
    moved[..., axes] += 0.3
    assert (sampler(image, moved) - out).abs().max() < 1e-10
    if sampler.exact_gradient:
        (gradient,) = torch.autograd.grad(out.square().sum(), grid)
        assert gradient[..., axes].abs().max() < 1e-10


@pytest.mark.parametrize("name", ["bilinear", "bicubic", "bspline"])
@pytest.mark.parametrize("native", [True, False])
def test_the_gradient_at_a_mirror_is_zero(name, native):
    """The mean of those on both sides, which differ in sign alone."""
    size = (4, 8)
    image = random_image(size, batch=1, dtype=torch.float32)
    ends = torch.tensor([[[[-7 / 8, 0.1], [7 / 8, 0.1]]]])
    points = ends.clone().requires_grad_()
    sampler = stnkit.build("sampler", name, padding="mirror")
    if native:
        (gradient,) = torch.autograd.grad(sampler(image, points).sum(), points)
    else:
        with stnkit.native.disabled():
            (gradient,) = torch.autograd.grad(sampler(image, points).sum(), points)
    assert gradient[..., 0].abs().max() < 1e-4
    assert gradient[..., 1].abs().min() > 1e-2


@pytest.mark.parametrize("name", NAMES)
def test_far_away_it_repeats_with_twice_the_span(name):
    sampler, image = stnkit.build("sampler", name, padding="mirror"), random_image((5, 9))
    grid = random_grid(2, reach=1.5)
    period = 2 * 2 * (1 - 1 / torch.tensor([9.0, 5.0], dtype=grid.dtype))
    assert (sampler(image, grid + 1000 * period) - sampler(image, grid)).abs().max() < 1e-8


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("name", ["bilinear", "bicubic", "nearest"])
def test_it_runs_in_onnxruntime(name, tmp_path):
    import onnxruntime

    sampler = stnkit.build("sampler", name, padding="mirror")
    image, grid = random_image((5, 6), dtype=torch.float32), random_grid(2, dtype=torch.float32)
    path = tmp_path / "sampler.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(sampler, (image, grid), path, dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    (out,) = session.run(None, dict(zip(names, (image.numpy(), grid.numpy()), strict=True)))
    assert np.abs(out - sampler(image, grid).numpy()).max() < 1e-4
