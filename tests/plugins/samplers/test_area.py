import numpy as np
import pytest
import torch
from torch.nn import functional

import stnkit
from tests.plugins.samplers.test_antialiased import scaled_lattice, widths_by_loops
from tests.samplers.oracles import PADDINGS, indices, padding_options, random_grid, random_image, read

# A drawn image of 7 × 10 pixels, in whole numbers.
DRAWN = (torch.arange(70).view(1, 1, 7, 10) * 37 % 23).double()
# opencv-python 5.0.0: cv2.resize(DRAWN, (4, 3), interpolation=cv2.INTER_AREA), with weights in float32.
OPENCV = [
    [8.028571680614, 12.714286066805, 9.028571710416, 13.714286096607],
    [12.600000563264, 9.400000420213, 10.971429022721, 10.400000464916],
    [9.285714588846, 13.971428975037, 8.971428826026, 11.02857176406],
]
# Pillow 12: Image.fromarray(DRAWN).resize((5, 7), Image.Resampling.BOX), which halves the width.
PILLOW = [
    [7.0, 12.0, 5.5, 10.5, 15.5],
    [9.0, 14.0, 7.5, 12.5, 17.5],
    [11.0, 4.5, 9.5, 14.5, 8.0],
    [13.0, 6.5, 11.5, 16.5, 10.0],
    [15.0, 8.5, 13.5, 7.0, 12.0],
    [5.5, 10.5, 15.5, 9.0, 14.0],
    [7.5, 12.5, 17.5, 11.0, 4.5],
]


def area(**options):
    return stnkit.build("sampler", "area", **options)


def shrunk(image, out_size, **options):
    grid = stnkit.coordinates.lattice(out_size, dtype=image.dtype).expand(len(image), *out_size, len(out_size))
    return area(max_footprint=64.0, **options)(image, grid)


def mean_by_loops(image, grid, largest, padding):
    """The integral of the image over the box of each point, one pixel after the other, divided by its area."""
    size = image.shape[2:]
    widths, axes = widths_by_loops(grid, size, largest), indices(grid[0], size)
    out = np.empty((*image.shape[:2], *grid.shape[1:-1]))
    for place in np.ndindex(*grid.shape[1:-1]):
        ends = [(axis[place] - w / 2, axis[place] + w / 2) for axis, w in zip(axes, widths[0][place], strict=True)]
        starts = [int(np.floor(low + 0.5)) for low, _ in ends]
        counts = [int(np.floor(high + 0.5)) - start + 1 for start, (_, high) in zip(starts, ends, strict=True)]
        for c in range(image.shape[1]):
            total = 0.0
            for step in np.ndindex(*counts):
                index = [start + s for start, s in zip(starts, step, strict=True)]
                shared = [min(h, i + 0.5) - max(lo, i - 0.5) for i, (lo, h) in zip(index, ends, strict=True)]
                total += np.prod(shared) * read(image[0, c].numpy(), index, padding)
            out[(0, c, *place)] = total / np.prod([high - low for low, high in ends])
    return out


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(6, 9), (1, 7), (3, 4, 5)])
def test_equals_the_integral_over_the_box(size, padding):
    image = random_image(size, batch=1)
    # Footprints of 0.2 to 4 pixels.
    grid = scaled_lattice([2] * (len(size) - 2) + [3, 4], 1.1, batch=1)
    grid = grid + 0.2 * random_grid(len(size), batch=1, n=4)[:, : grid.shape[1]]
    expected = mean_by_loops(image, grid, 2.0, padding)
    sampler = area(max_footprint=2.0, **padding_options(padding))
    assert np.abs(sampler(image, grid).numpy() - expected).max() < 1e-10
    assert np.abs(sampler(image.float(), grid.float()).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("factors", [(2, 2), (3, 4), (1, 5), (8, 8), (2, 3, 4)])
@pytest.mark.parametrize("padding", PADDINGS)
def test_shrinking_by_whole_numbers_is_average_pooling(factors, padding):
    out_size = (5, 4, 3)[: len(factors)]
    image = random_image([n * f for n, f in zip(out_size, factors, strict=True)])
    pool = functional.avg_pool2d if len(factors) == 2 else functional.avg_pool3d
    for expected in (pool(image, factors), functional.interpolate(image, out_size, mode="area")):
        assert (shrunk(image, out_size, **padding_options(padding)) - expected).abs().max() < 1e-10
        assert (shrunk(image.float(), out_size) - expected).abs().max() < 1e-5


def test_shrinking_by_any_factor_is_that_of_opencv():
    assert (shrunk(DRAWN, (3, 4))[0, 0] - torch.tensor(OPENCV)).abs().max() < 1e-6


def test_shrinking_one_axis_is_the_box_filter_of_pillow():
    assert (shrunk(DRAWN, (7, 5))[0, 0] - torch.tensor(PILLOW)).abs().max() < 1e-6


@pytest.mark.parametrize("size", [(1, 1), (7, 1), (1, 10)])
def test_one_pixel_is_the_mean_of_its_axis(size):
    expected = functional.adaptive_avg_pool2d(DRAWN, size)
    assert (shrunk(DRAWN, size) - expected).abs().max() < 1e-10


@pytest.mark.parametrize("out_size", [(2, 3), (5, 7), (7, 9)])
def test_the_mean_of_the_output_is_that_of_the_image(out_size):
    assert abs(shrunk(DRAWN, out_size).mean() - DRAWN.mean()) < 1e-10


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(8, 8), (1, 4), (2, 4, 8)])
def test_is_bilinear_with_its_gradients_where_nothing_shrinks(size, padding):
    grids = [scaled_lattice(size, 0.7, 0.31), random_grid(len(size), reach=1.8)]
    if padding in ("zeros", "fill"):  # the others have a kink at the centers of edge pixels
        grids.append(scaled_lattice(size, 1.0))
    for grid in grids:
        results = []
        for name, own in (("area", {"max_footprint": 1.0}), ("bilinear", {"double_backward": True})):
            image, points = random_image(size).requires_grad_(), grid.clone().requires_grad_()
            out = stnkit.build("sampler", name, **own, **padding_options(padding))(image, points)
            results.append((out, *torch.autograd.grad(out.square().sum(), (image, points))))
        for ours, theirs in zip(*results, strict=True):
            assert (ours - theirs).abs().max() < 1e-10


def test_enlarging_is_bilinear_with_any_largest_footprint():
    image, grid = random_image((5, 6)), scaled_lattice((13, 17), 0.9)
    expected = stnkit.build("sampler", "bilinear")(image, grid)
    assert (area(max_footprint=9.0)(image, grid) - expected).abs().max() < 1e-10


@pytest.mark.parametrize("shape", [(1, 0, 3, 2), (1, 3, 0, 2), (1, 0, 0, 2), (0, 3, 4, 2)])
def test_a_grid_of_no_points_gives_no_pixels(shape):
    out = area()(torch.rand(shape[0], 2, 5, 5), torch.zeros(shape))
    assert out.shape == (shape[0], 2, *shape[1:3])


@pytest.mark.no_jaxtyping  # many evaluations of one shape
@pytest.mark.slow
def test_gradients_flow_through_the_box():
    image = random_image((9, 9), batch=1, channels=1).requires_grad_()
    grid = scaled_lattice((3, 3), 0.9, batch=1) + 0.1 * random_grid(2, batch=1, n=3)
    assert torch.autograd.gradcheck(area(max_footprint=3.5), (image, grid.requires_grad_()))
    assert torch.autograd.gradgradcheck(area(max_footprint=3.5), (image, grid))


@pytest.mark.parametrize("value", [0.5, 0.0, float("inf"), float("nan")])
def test_a_largest_footprint_out_of_range_is_refused(value):
    with pytest.raises(stnkit.errors.InputError, match="max_footprint: expected at least 1 pixel"):
        area(max_footprint=value)
