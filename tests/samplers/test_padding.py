"""What holds for the padding of all samplers."""

import pytest
import torch

import stnkit
from tests.samplers.oracles import PADDINGS, padding_options, random_grid, random_image

NAMES = ["antialiased", "area", "bicubic", "bilinear", "bspline", "gaussian", "lanczos", "multisample", "nearest"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(5, 8), (2, 1), (2, 3, 4)])
def test_circular_is_the_tiled_image(name, size):
    image, ndim = random_image(size), len(size)
    grid = random_grid(ndim, reach=2.9)
    tiled = image.repeat(1, 1, *[9] * ndim)
    sampler, wide = (stnkit.build("sampler", name, padding=p) for p in ("circular", "border"))
    if name == "bspline":
        # The spline of the tiles has other edges, which are far enough for a row of pixels only.
        wide = stnkit.build("sampler", name, padding="circular")
    assert (sampler(image, grid) - wide(tiled, grid / 9)).abs().max() < 1e-10


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fill_value", [0.7, [0.7, -2.0]])
def test_fill_is_zeros_of_the_difference(name, fill_value):
    image, grid = random_image((5, 8)), random_grid(2)
    fill = torch.tensor(fill_value, dtype=torch.float64).view(-1, 1, 1)
    filled = stnkit.build("sampler", name, padding="fill", fill_value=fill_value)(image, grid)
    expected = stnkit.build("sampler", name)(image - fill, grid) + fill
    assert (filled - expected).abs().max() < 1e-12
    outside = stnkit.build("sampler", name, padding="fill", fill_value=fill_value)(image, 0 * grid + 30)
    assert (outside == fill).all()


@pytest.mark.parametrize("name", [name for name in NAMES if name != "nearest"])
@pytest.mark.parametrize("size", [(5, 8), (7, 1), (2, 3, 4)])
@pytest.mark.parametrize("place", ["centers", "anywhere"])
def test_a_gradient_of_fill_is_that_of_the_difference(name, size, place):
    image, upstream = random_image(size), random_image(size, seed=2)
    grid = stnkit.coordinates.lattice(size, dtype=torch.float64).expand(2, *size, len(size)).clone()
    if place == "anywhere":
        grid += 0.3 * torch.randn(grid.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    grid.requires_grad_()
    filled = stnkit.build("sampler", name, padding="fill", fill_value=0.7)
    (found,) = torch.autograd.grad(filled(image, grid), grid, upstream)
    (expected,) = torch.autograd.grad(stnkit.build("sampler", name)(image - 0.7, grid), grid, upstream)
    assert (found - expected).abs().max() < 1e-11


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_images_use_the_precision_of_the_grid(name, padding, dtype):
    image, grid = random_image((5, 8), dtype=dtype), random_grid(2, dtype=torch.float32)
    sampler = stnkit.build("sampler", name, **padding_options(padding))
    out = sampler(image, grid)
    assert out.dtype == dtype
    assert torch.equal(out, sampler(image.float(), grid).to(dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(sampler(image, grid), out)


def test_validity_is_where_the_grid_lies_on_the_image():
    grid = torch.tensor([[[[0.0, 0.5], [1.0, -1.0], [1.01, 0.0], [0.0, -3.0], [float("nan"), 0.0]]]])
    for name in NAMES:
        assert stnkit.build("sampler", name).valid(grid).tolist() == [[[True, True, False, False, False]]]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.no_jaxtyping
def test_bad_input_is_refused_in_a_sentence(name):
    sampler = stnkit.build("sampler", name)
    image, grid = random_image((4, 5)), random_grid(2)
    for bad_image, bad_grid, message in (
        (image[:1], grid, "theta or grid: expected a batch of 1, as the image, got 2"),
        (image[0], grid, "image: expected 4 axes"),
        (random_image((2, 4, 5)), grid, "image: expected 4 axes"),
        (image, grid[0], "grid: expected shape"),
        (image, grid.half(), "float32 or wider"),
        (image[..., :0], grid, "at least one pixel"),
    ):
        with pytest.raises(stnkit.errors.InputError, match=message):
            sampler(bad_image, bad_grid)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "wrap"}, "padding: expected one of zeros, border, reflection, mirror, circular, fill"),
        ({"padding": "fill", "fill_value": float("nan")}, "fill_value: expected a finite number"),
        ({"padding": "fill", "fill_value": []}, "fill_value: expected a finite number"),
        ({"padding": "fill", "fill_value": "gray"}, "fill_value: expected float"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(name, options, message):
    with pytest.raises(stnkit.errors.InputError, match=message):
        stnkit.build("sampler", name, **options)


@pytest.mark.parametrize("name", NAMES)
def test_one_fill_value_is_needed_for_each_channel(name):
    sampler = stnkit.build("sampler", name, padding="fill", fill_value=[0.1, 0.2, 0.3])
    with pytest.raises(stnkit.errors.InputError, match="each of the 2 channels, got 3"):
        sampler(random_image((4, 5)), random_grid(2))


def test_the_representation_names_the_padding():
    assert "padding='fill', fill_value=0.5" in repr(stnkit.build("sampler", "lanczos", padding="fill", fill_value=0.5))
    assert "fill_value" not in repr(stnkit.build("sampler", "lanczos", padding="circular"))
