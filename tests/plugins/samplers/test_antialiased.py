import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

import stnkit
from tests.samplers.oracles import PADDINGS, loop_sample, padding_options, random_grid, random_image


def scaled_lattice(size, scale, shift=0.0, batch=2):
    return (scale * stnkit.coordinates.lattice(size, dtype=torch.float64) + shift).expand(batch, *size, len(size))


def triangle(d):
    return max(0.0, 1 - abs(d))


def widths_by_loops(grid, size, largest):
    """sqrt(sum of squared central differences) per pixel and axis, in the order of the image's axes."""
    pixels = [((grid[..., -1 - d].numpy() + 1) * n - 1) / 2 for d, n in enumerate(size)]
    widths = np.empty((*grid.shape[:-1], len(size)))
    for d, axis in enumerate(pixels):
        for b in range(len(axis)):
            slopes = [np.gradient(axis[b], axis=e) for e in range(axis[b].ndim)]
            widths[b, ..., d] = np.clip(np.sqrt(sum(s**2 for s in slopes)), 1, largest)
    return widths


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(6, 9), (1, 7), (3, 4, 5)])
def test_equals_the_sum_over_pixels_with_the_widened_kernel(size, padding):
    image = random_image(size, batch=1)
    # Footprints of 0.2 to 4 pixels.
    grid = scaled_lattice([2] * (len(size) - 2) + [3, 4], 1.1, batch=1)
    grid = grid + 0.2 * random_grid(len(size), batch=1, n=4)[:, : grid.shape[1]]
    widths = widths_by_loops(grid, size, 2.0)
    assert widths.min() < 1.2
    assert widths.max() == 2.0
    expected = loop_sample(image, grid, triangle, 2, padding, normalized=True, widths=widths)
    sampler = stnkit.build("sampler", "antialiased", max_footprint=2.0, **padding_options(padding))
    assert np.abs(sampler(image, grid).numpy() - expected).max() < 1e-10
    assert np.abs(sampler(image.float(), grid.float()).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(8, 8), (1, 6), (2, 4, 8)])
def test_is_bilinear_with_its_gradients_where_nothing_shrinks(size, padding):
    for grid in (scaled_lattice(size, 1.0), scaled_lattice(size, 0.7, 0.6)):
        results = []
        for name in ("antialiased", "bilinear"):
            options = padding_options(padding)
            if name == "bilinear":
                options["double_backward"] = True
            image, points = random_image(size).requires_grad_(), grid.clone().requires_grad_()
            out = stnkit.build("sampler", name, **options)(image, points)
            results.append((out, *torch.autograd.grad(out.square().sum(), (image, points))))
        for ours, theirs in zip(*results, strict=True):
            assert (ours - theirs).abs().max() < 1e-10


def test_the_identity_in_float32_has_the_gradient_of_bilinear():
    # Rounding makes footprints of 1 + 1e-6: with a kernel as wide as that, pixel centers see three pixels.
    size = (61, 83)
    image, grid = random_image(size, dtype=torch.float32), scaled_lattice(size, 1.0).float()
    gradients = []
    for name, options in (("antialiased", {}), ("bilinear", {"double_backward": True})):
        points = grid.clone().requires_grad_()
        out = stnkit.build("sampler", name, **options)(image, points)
        gradients.append(torch.autograd.grad(out.sum(), points)[0])
    assert (gradients[0] - gradients[1]).abs().max() < 1e-3 * gradients[1].abs().max()


def test_a_rotation_is_not_blurred():
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]], dtype=torch.float64)
    grid = scaled_lattice((8, 8), 0.7) @ turn.T
    image = random_image((8, 8))
    ours, bilinear = (stnkit.build("sampler", name)(image, grid) for name in ("antialiased", "bilinear"))
    assert (ours - bilinear).abs().max() < 1e-10


@pytest.mark.parametrize("out_size", [(20, 16), (12, 24)])
def test_shrinking_equals_the_antialiased_interpolation_of_torch(out_size):
    image = random_image((40, 48))
    expected = functional.interpolate(image, out_size, mode="bilinear", antialias=True, align_corners=False)
    ours = stnkit.build("sampler", "antialiased", padding="border")(image, scaled_lattice(out_size, 1.0))
    # At the edges torch has no padding.
    inside = (..., slice(2, -2), slice(2, -2))
    assert (ours[inside] - expected[inside]).abs().max() < 1e-10


@pytest.mark.parametrize("out_size", [(1, 1), (8, 1)])
def test_an_axis_of_one_output_pixel_is_averaged_over(out_size):
    image = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    grid = stnkit.coordinates.lattice(out_size, dtype=torch.float64)[None]
    sampler = stnkit.build("sampler", "antialiased", max_footprint=16.0)
    # torch takes the mean of the pixels that are there, without the zeros around them.
    out = sampler(image, grid) / sampler(torch.ones_like(image), grid)
    # Transposed, since torch repeats the first row where it makes one column (findings/).
    expected = functional.interpolate(image.mT, out_size[::-1], mode="bilinear", antialias=True).mT
    torch.testing.assert_close(out, expected)


RESIZED = [((40, 48), (20, 16)), ((40, 48), (13, 37)), ((9, 7), (9, 3)), ((9, 7), (15, 2)), ((5, 6), (11, 13))]


def renormalized(image, out_size, padding="zeros"):
    grid = scaled_lattice(out_size, 1.0, batch=len(image)).to(image.dtype)
    options = {"max_footprint": 16.0, "renormalize": True, **padding_options(padding)}
    return stnkit.build("sampler", "antialiased", **options)(image, grid)


@pytest.mark.parametrize("padding", ["zeros", "fill"])
@pytest.mark.parametrize(("size", "out_size"), RESIZED)
def test_renormalized_it_is_the_interpolation_of_torch(size, out_size, padding):
    image = random_image(size)
    expected = functional.interpolate(image, out_size, mode="bilinear", antialias=True)
    assert (renormalized(image, out_size, padding) - expected).abs().max() < 1e-10
    assert (renormalized(image.float(), out_size, padding) - expected).abs().max() < 1e-5


@pytest.mark.parametrize(("size", "out_size"), [*RESIZED, ((9, 7), (1, 1)), ((9, 7), (1, 4)), ((9, 7), (4, 1))])
def test_renormalized_it_is_the_resize_of_pillow(size, out_size):
    image = random_image(size, batch=1, channels=1, dtype=torch.float32)
    resized = Image.fromarray(image[0, 0].numpy()).resize(out_size[::-1], Image.Resampling.BILINEAR)
    assert np.abs(renormalized(image, out_size)[0, 0].numpy() - np.asarray(resized)).max() < 1e-5


@pytest.mark.parametrize("padding", ["border", "reflection", "mirror", "circular"])
def test_paddings_that_continue_the_image_drop_no_weight(padding):
    image, grid = random_image((9, 7)), scaled_lattice((4, 3), 1.2)
    plain, option = (
        stnkit.build("sampler", "antialiased", padding=padding, renormalize=value) for value in (False, True)
    )
    assert torch.equal(option(image, grid), plain(image, grid))


def test_renormalized_the_mean_is_of_the_pixels_that_are_there():
    image = torch.ones(6, 1, 4, 4, dtype=torch.float64)
    sampler = stnkit.build("sampler", "antialiased", padding="fill", fill_value=7.0, renormalize=True)
    at = torch.tensor([-0.9, -0.4, 3.6, 3.9998, 5.0, 1e9], dtype=torch.float64)
    points = torch.stack([at, torch.full_like(at, 2.0)], dim=-1)[None, None]
    # Pixels of two outputs in a row, which have one point each: their footprint is nothing.
    grid = stnkit.coordinates.from_pixels(points.movedim(2, 0).expand(6, 2, 2, 2), (4, 4))
    out = sampler(image, grid)
    assert out[:3].eq(1).all()
    # The fourth has a weight of 2e-4 on the image.
    assert out[3, 0, 0, 0].item() == pytest.approx(7 - 6 * 2e-4)
    assert out[4:].eq(7).all()


def test_renormalized_gradients_are_right_and_finite_at_the_edge():
    sampler = stnkit.build("sampler", "antialiased", max_footprint=3.0, renormalize=True)
    image = random_image((6, 6), batch=1, channels=1).requires_grad_()
    grid = (scaled_lattice((3, 3), 1.15, batch=1) + 0.03 * random_grid(2, batch=1, n=3)).requires_grad_()
    assert torch.autograd.gradcheck(sampler, (image, grid))
    edge = (1 + torch.linspace(0, 1.2, 401) / 3).view(1, 1, -1, 1).expand(1, 2, -1, 2).clone().requires_grad_()
    for gradient in torch.autograd.grad(sampler(image.float(), edge).sum(), (image, edge)):
        assert gradient.isfinite().all()
        assert gradient.abs().max() < 1e4


@pytest.mark.parametrize("shape", [(1, 0, 3, 2), (1, 3, 0, 2), (1, 0, 0, 2), (0, 3, 4, 2)])
def test_a_grid_of_no_points_gives_no_pixels(shape):
    out = stnkit.build("sampler", "antialiased")(torch.rand(shape[0], 2, 5, 5), torch.zeros(shape))
    assert out.shape == (shape[0], 2, *shape[1:3])


def test_fine_stripes_become_gray_and_not_wide_stripes():
    image = (torch.arange(64, dtype=torch.float64) % 2).expand(1, 1, 64, 64)
    grid = scaled_lattice((21, 21), 1.0, batch=1)
    spread = {
        name: stnkit.build("sampler", name, padding="circular")(image, grid).std().item()
        for name in ("antialiased", "bilinear")
    }
    assert spread["antialiased"] < 0.2 * spread["bilinear"]


@pytest.mark.no_jaxtyping  # many evaluations of one shape
@pytest.mark.slow
def test_gradients_flow_through_the_footprint():
    sampler = stnkit.build("sampler", "antialiased", max_footprint=3.0)
    image = random_image((9, 9), batch=1, channels=1).requires_grad_()
    grid = scaled_lattice((3, 3), 0.9, batch=1) + 0.1 * random_grid(2, batch=1, n=3)
    assert torch.autograd.gradcheck(sampler, (image, grid.requires_grad_()))
    assert torch.autograd.gradgradcheck(sampler, (image, grid))


@pytest.mark.parametrize("value", [0.5, 0.0, float("inf"), float("nan")])
def test_a_largest_footprint_out_of_range_is_refused(value):
    with pytest.raises(stnkit.errors.InputError, match="max_footprint: expected at least 1 pixel"):
        stnkit.build("sampler", "antialiased", max_footprint=value)
