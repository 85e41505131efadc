import itertools
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import stnkit
from tests.samplers.oracles import PADDINGS, SIZES, indices, padding_options, random_grid, random_image, read


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES)
def test_equals_the_pixel_at_the_rounded_index(size, padding):
    image, grid = random_image(size), random_grid(len(size))
    out = stnkit.build("sampler", "nearest", **padding_options(padding))(image, grid)
    for b, c in itertools.product(range(2), range(2)):
        axes = [np.rint(axis).astype(int) for axis in indices(grid[b], size)]
        for place in np.ndindex(*grid.shape[1:-1]):
            pixel = read(image[b, c].numpy(), [axis[place] for axis in axes], padding)
            # Fill is subtracted and added again, which rounds.
            assert abs(out[(b, c, *place)].item() - pixel) < 1e-15


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("moved", [0.0, 0.5])
@pytest.mark.parametrize("size", [(224, 40), (1000, 6), (16, 10, 12), (7, 30)])
def test_halfway_between_two_pixels_it_is_regular(size, moved, dtype):
    """pytorch 97000, onnx 4089: torch rounds to even, up to rounding errors; `nearest-exact` takes a step of 2."""
    out_size = [n // 2 for n in size] if moved == 0 else size
    family = stnkit.build("transform", "affine", ndim=len(size))
    shift = torch.zeros(len(size), len(size) + 1, dtype=dtype)
    # In normalized coordinates of the image, x first: half a pixel is 1 / n.
    shift[:, -1] = 2 * moved / torch.tensor(size[::-1], dtype=dtype)
    grid = family.grid((family.identity().to(dtype) + shift.flatten())[None], out_size)
    for axis, n in enumerate(size):
        indices = torch.arange(n, dtype=dtype).view([-1 if a == axis else 1 for a in range(len(size))])
        image = indices.expand(1, 1, *size).contiguous()
        out = stnkit.build("sampler", "nearest", padding="border")(image, grid)
        if moved:
            expected = (indices + 1).clamp(max=n - 1).expand(1, 1, *size)
        else:
            expected = F.interpolate(image, out_size, mode="nearest-exact")
        assert torch.equal(out, expected), out.flatten()[:20]


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 2.5e-3), (torch.float64, 1e-5)])
@pytest.mark.parametrize("n", [40, 8192])
def test_in_wide_images_it_is_the_nearest_pixel_too(n, dtype, close):
    first = torch.arange(n - 1, dtype=torch.float64)
    offsets = torch.tensor([0.0, 0.3, 0.5 - close, 0.5, 0.5 + close, 0.9], dtype=torch.float64)
    x = (first[:, None] + offsets).flatten()
    grid = stnkit.coordinates.from_pixels(torch.stack([x, 0 * x], dim=-1), (1, n))[None, None].to(dtype)
    row = torch.arange(n).view(1, 1, 1, n)
    expected = torch.floor(x + 0.5)
    for image in (row, row.to(dtype)):
        assert torch.equal(stnkit.build("sampler", "nearest")(image, grid).flatten().double(), expected)


@pytest.mark.parametrize("n", [6, 7, 1000])
def test_halfway_is_regular_where_the_image_is_the_wider(n):
    family, row = stnkit.build("transform", "translation"), torch.arange(n, dtype=torch.float64).view(1, 1, 1, n)
    grid = family.grid(torch.tensor([[1 / n, 0.0]]), (1, n))
    out = stnkit.build("sampler", "nearest", padding="border")(row, grid)
    assert torch.equal(out, (row + 1).clamp(max=n - 1))


def test_labels_stay_labels():
    labels = torch.arange(12.0).view(1, 1, 3, 4)
    out = stnkit.build("sampler", "nearest", padding="border")(labels, random_grid(2, batch=1).float())
    assert set(out.flatten().tolist()) <= set(range(12))


def test_a_gradient_to_the_grid_is_zero_and_warned_of_once():
    sampler = stnkit.build("sampler", "nearest")
    image, grid = random_image((4, 5)).requires_grad_(), random_grid(2).requires_grad_()
    with pytest.warns(UserWarning, match="zero gradient to the grid"):
        out = sampler(image, grid)
    out.square().sum().backward()
    assert not grid.grad.any()
    assert image.grad.any()
    sampler(image, grid)  # a second warning would be an error


def test_there_is_no_warning_where_no_gradient_is_wanted():
    sampler = stnkit.build("sampler", "nearest")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sampler(random_image((4, 5)).requires_grad_(), random_grid(2))
        with torch.no_grad():
            sampler(random_image((4, 5)), random_grid(2).requires_grad_())


@pytest.mark.slow
@pytest.mark.no_jaxtyping
def test_the_warning_does_not_break_a_compiled_program():
    sampler = stnkit.build("sampler", "nearest")
    image, grid = random_image((4, 5)), random_grid(2)
    compiled = torch.compile(sampler, fullgraph=True, backend="eager")
    assert torch.equal(compiled(image, grid.clone().requires_grad_()), sampler(image, grid))
