"""Samplers under torch.compile, torch.export, vmap and torch.func."""

import pytest
import torch

import stnkit
from tests.samplers.oracles import padding_options, random_grid, random_image

NAMES = ["antialiased", "area", "bicubic", "bilinear", "bspline", "gaussian", "lanczos", "multisample", "nearest"]
PADDINGS = ["circular", "fill", "mirror"]
pytestmark = pytest.mark.no_jaxtyping


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.slow
def test_a_compiled_sampler_has_the_same_values_and_gradients(name, padding):
    sampler = stnkit.build("sampler", name, **padding_options(padding))
    torch.compiler.reset()
    compiled = torch.compile(sampler, fullgraph=True, backend="aot_eager")
    results = []
    for read in (sampler, compiled):
        image, grid = random_image((5, 6)).requires_grad_(), random_grid(2)
        if name != "nearest":
            grid.requires_grad_()
        out = read(image, grid)
        wanted = (image, grid) if grid.requires_grad else (image,)
        results.append((out, *torch.autograd.grad(out.square().sum(), wanted)))
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).abs().max() < 1e-10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("padding", ["zeros", "circular", "mirror"])
@pytest.mark.slow
def test_an_exported_sampler_takes_any_batch(name, padding):
    sampler = stnkit.build("sampler", name, padding=padding)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(
        sampler, (random_image((5, 6)), random_grid(2)), dynamic_shapes=({0: batch}, {0: batch})
    ).module()
    image, grid = random_image((5, 6), batch=5), random_grid(2, batch=5)
    assert (program(image, grid) - sampler(image, grid)).abs().max() < 1e-10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("padding", PADDINGS)
def test_vmap_over_grids_is_a_loop_over_grids(name, padding):
    sampler, image = stnkit.build("sampler", name, **padding_options(padding)), random_image((5, 6))
    grids = torch.stack([random_grid(2, seed=seed) for seed in range(3)])
    together = torch.vmap(lambda grid: sampler(image, grid))(grids)
    assert (together - torch.stack([sampler(image, grid) for grid in grids])).abs().max() < 1e-12


@pytest.mark.parametrize("name", [name for name in NAMES if name != "nearest"])
def test_functional_gradients_are_those_of_backward(name):
    sampler, image, grid = stnkit.build("sampler", name), random_image((5, 6)), random_grid(2)
    functional = torch.func.grad(lambda points: sampler(image, points).square().sum())(grid)
    grid.requires_grad_()
    (expected,) = torch.autograd.grad(sampler(image, grid).square().sum(), grid)
    assert expected.any()
    assert (functional - expected).abs().max() < 1e-12
