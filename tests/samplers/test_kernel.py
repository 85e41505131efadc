"""KernelSampler: a new sampler is a kernel and its support."""

import math

import numpy as np
import pytest
import torch

import stnkit
from stnkit.samplers.padding import source_index
from tests.samplers.oracles import PADDINGS, SIZES, loop_sample, padding_options, random_grid, random_image, read


class Cosine(stnkit.samplers.KernelSampler):
    """A raised cosine: smooth, sums to one, and its support is not a whole number of taps wide."""

    def __init__(self, support=1.0, normalized=False, padding="zeros", fill_value=0.0):
        super().__init__(padding, fill_value)
        self.support = support
        self.normalized = normalized

    def kernel(self, distance):
        inside = distance.abs() < self.support
        return torch.where(inside, (1 + torch.cos(math.pi * distance / self.support)) / 2, 0.0)


class Linear(stnkit.samplers.KernelSampler):
    support = 1

    def kernel(self, distance):
        return torch.where(distance >= 0, 1 - distance, 1 + distance)


@pytest.mark.slow
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.no_jaxtyping  # the tracer has tensors for sizes
@pytest.mark.filterwarnings("ignore")  # of the tracer, about itself and about comparisons of shapes
def test_of_volumes_a_program_gathers_once_for_a_slice(padding, traced):
    sampler = Cosine(1.5, normalized=True, **padding_options(padding)).eval()
    image, grid = random_image((4, 5, 6)), random_grid(3)
    if traced:
        module = torch.jit.trace(sampler, (image, grid), check_trace=False)
        names = [node.kind() for node in module.inlined_graph.nodes()]
    else:
        program = torch.export.export(sampler, (image, grid))
        names, module = [str(node.target) for node in program.graph.nodes], program.module()
    images = 2 if padding == "fill" else 1  # the share of the image is read too
    assert sum("gather" in name for name in names) == 3 * images
    torch.testing.assert_close(module(image, grid), sampler(image, grid), rtol=0, atol=1e-12)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("support", [0.8, 1.0, 1.3, 1.5, 2.0])
def test_equals_the_sum_over_pixels_for_any_support(size, padding, support):
    image, grid = random_image(size, batch=1, channels=1), random_grid(len(size), batch=1, n=2)
    expected = loop_sample(
        image, grid, lambda d: (1 + math.cos(math.pi * d / support)) / 2, support, padding, normalized=True
    )
    sampler = Cosine(support, normalized=True, **padding_options(padding))
    assert np.abs(sampler(image, grid).numpy() - expected).max() < 1e-10


def test_weights_are_not_divided_unless_asked():
    image = torch.ones(1, 1, 5, 5, dtype=torch.float64)
    points = torch.tensor([[[[2.5, 2.0]]]], dtype=torch.float64)
    grid = stnkit.coordinates.from_pixels(points, (5, 5))
    # Columns 1 to 4 at distances 1.5 and 0.5, rows 1 to 3 at 1 and 0.
    cosine = (1 + np.cos(np.pi * np.array([0.5, 1.5, 0.0, 1.0]) / 1.5)) / 2
    expected = 2 * (cosine[0] + cosine[1]) * (cosine[2] + 2 * cosine[3])
    assert abs(Cosine(1.5)(image, grid).item() - expected) < 1e-12
    assert abs(Cosine(1.5, normalized=True)(image, grid).item() - 1) < 1e-12


@pytest.mark.parametrize("padding", ["border", "reflection", "mirror", "circular"])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_an_index_outside_is_that_of_a_walk(padding, n):
    index = torch.arange(-3 * n - 2, 4 * n + 3)
    ours = source_index(index, n, stnkit.samplers.Padding(padding))
    assert ours.tolist() == [read(np.arange(n), [i], padding) for i in index.tolist()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n", [6, 7, 41, 100])
def test_the_subgradient_at_rounded_centers_is_one_sided(dtype, n):
    # Centers of 6 pixels are no floating point numbers: they lie a rounding error to the left or right.
    row = torch.linspace(0, 1, n, dtype=dtype).square().expand(1, 1, n, n)
    grid = stnkit.coordinates.lattice((n, n), dtype=dtype)[None].requires_grad_()
    (gradient,) = torch.autograd.grad(Linear("border")(row, grid).sum(), grid)
    slope = gradient[0, 1, 1:-1, 0] * 2 / n
    steps = row[0, 0, 1].diff()
    assert (torch.minimum((slope - steps[:-1]).abs(), (slope - steps[1:]).abs()) < 1e-5).all()
    assert gradient[0, 1:-1, :, 1].abs().max() < 1e-4


@pytest.mark.parametrize("padding", PADDINGS)
def test_nonfinite_points_are_outside_with_finite_gradients(padding):
    values = [float("nan"), float("inf"), -float("inf"), 1e30, -1e30]
    grid = torch.tensor([[[[v, 0.1] for v in values], [[0.2, v] for v in values]]], dtype=torch.float64)
    grid.requires_grad_()
    image = random_image((4, 6), batch=1).requires_grad_()
    out = Cosine(1.5, normalized=True, **padding_options(padding))(image, grid)
    assert out.isfinite().all()
    if padding in ("zeros", "fill"):
        assert (out == (0.0 if padding == "zeros" else 0.7)).all()
    for gradient in torch.autograd.grad(out.sum(), (image, grid)):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("size", [(4, 5), (2, 3, 4)])
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.no_jaxtyping  # many evaluations of one shape
@pytest.mark.slow
def test_first_and_second_derivatives_are_right(size, padding):
    sampler = Cosine(1.5, normalized=True, **padding_options(padding))
    image = random_image(size, batch=1, channels=1).requires_grad_()
    grid = random_grid(len(size), batch=1, n=1).requires_grad_()
    assert torch.autograd.gradcheck(sampler, (image, grid))
    assert torch.autograd.gradgradcheck(sampler, (image, grid))


def test_no_tensor_is_as_large_as_all_taps_together():
    class Watch(torch.utils._python_dispatch.TorchDispatchMode):
        largest = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if isinstance(out, torch.Tensor):
                Watch.largest = max(Watch.largest, out.numel())
            return out

    image, grid = random_image((16, 16), channels=8), random_grid(2, n=64)
    with Watch():
        out = Cosine(3.0, normalized=True)(image, grid)
    assert out.numel() < Watch.largest <= 6 * out.numel()


def test_a_prefilter_may_reach_beyond_the_image():
    class Doubled(Linear):
        def prefilter(self, image):
            return torch.nn.functional.pad(2 * image, (2, 2, 2, 2), mode="replicate")

    image = random_image((4, 6))
    grid = 1.2 * stnkit.coordinates.lattice((5, 7), dtype=torch.float64).expand(2, 5, 7, 2)
    assert (Doubled("zeros")(image, grid) - 2 * Linear("border")(image, grid)).abs().max() < 1e-12


def test_a_widening_stretches_the_kernel_at_each_point():
    class Wide(Linear):
        support = 2
        normalized = True

        def kernel(self, distance):
            return (1 - distance.abs()).clamp(min=0)

        def widening(self, pixels, size):
            assert size == (8, 8)
            return torch.where(pixels[..., :1] < 3, 1.0, 2.0).expand_as(pixels)

    image, grid = random_image((8, 8)), 0.9 * random_grid(2)
    narrow = stnkit.build("sampler", "bilinear")(image, grid)
    widths = np.where(((grid[..., :1].numpy() + 1) * 8 - 1) / 2 < 3, 1.0, 2.0) * np.ones(2)
    wide = loop_sample(image, grid, lambda d: max(0.0, 1 - abs(d)), 2, "zeros", True, widths)
    out = Wide()(image, grid).numpy()
    assert np.abs(out - wide).max() < 1e-10
    with pytest.warns(stnkit.errors.RenamedWarning, match="Old.widening takes the parameters pixels and size now"):

        class Old(Wide):
            def widening(self, pixels):
                return super().widening(pixels, (8, 8))

    np.testing.assert_array_equal(Old()(image, grid).numpy(), out)
    left = widths[..., 0] == 1
    assert 0 < left.sum() < left.size
    assert np.abs(np.moveaxis(out - narrow.numpy(), 1, -1)[left]).max() < 1e-10
