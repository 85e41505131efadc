import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline as ScipyBSpline

import stnkit
from tests.samplers.oracles import MODES, PADDINGS, SIZES, padding_options, random_grid, random_image, scipy_sample

ORDERS = [2, 3, 4, 5]
# SciPy's prefilter with mode "reflect" does not interpolate rows of less than some 20 pixels, by up to 1e-2.
LARGE = [(20, 31), (1, 24), (24, 1), (70, 150)]


CASES = [(size, padding) for padding in PADDINGS for size in (LARGE if padding == "reflection" else [*SIZES, *LARGE])]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("size", "padding"), CASES)
def test_equals_scipy(size, padding, order):
    # Up to 2.5 images beside the image, and far away.
    near, far = random_grid(len(size), reach=5.0), random_grid(len(size), seed=2, reach=40.0)
    image, grid = random_image(size), torch.cat([near, far], dim=-2)
    expected = scipy_sample(image, grid, order, padding)
    sampler = stnkit.build("sampler", "bspline", order=order, **padding_options(padding))
    assert np.abs(sampler(image, grid).numpy() - expected).max() < 1e-10


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("padding", PADDINGS)
def test_float32_agrees_with_float64(padding, order):
    image, grid = random_image((6, 9)), random_grid(2)
    sampler = stnkit.build("sampler", "bspline", order=order, **padding_options(padding))
    assert (sampler(image.float(), grid.float()) - sampler(image, grid)).abs().max() < 1e-5


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
def test_reflection_equals_the_spline_through_the_reflected_row(n, order):
    # One period of the reflected row, as a system of equations for its coefficients.
    row = random_image((n,), batch=1, channels=1)[0, 0].numpy()
    period = np.concatenate([row, row[::-1]])
    kernel = ScipyBSpline.basis_element(np.arange(order + 2) - (order + 1) / 2, extrapolate=False)

    def beta(d):
        return np.nan_to_num(kernel(d))

    matrix = sum(beta(np.subtract.outer(np.arange(2 * n), np.arange(2 * n) + 2 * n * k)) for k in range(-6, 7))
    coefficients = np.linalg.solve(matrix, period)
    at = np.linspace(-0.9 * n, 1.9 * n, 23)
    expected = sum(beta(np.subtract.outer(at, np.arange(2 * n) + 2 * n * k)) @ coefficients for k in range(-6, 7))
    points = torch.from_numpy(np.stack([at, np.zeros_like(at)], axis=-1))[None, None]
    grid = stnkit.coordinates.from_pixels(points, (1, n))
    sampler = stnkit.build("sampler", "bspline", padding="reflection", order=order)
    ours = sampler(torch.from_numpy(row)[None, None, None], grid)
    assert np.abs(ours.numpy().ravel() - expected).max() < 1e-10


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.no_jaxtyping  # many evaluations of one shape
@pytest.mark.slow
def test_gradients_to_image_and_grid_flow_through_the_prefilter(padding, order):
    sampler = stnkit.build("sampler", "bspline", order=order, **padding_options(padding))
    image = random_image((4, 5), batch=1, channels=1).requires_grad_()
    grid = random_grid(2, batch=1, n=2).requires_grad_()
    assert torch.autograd.gradcheck(sampler, (image, grid))
    # The second derivative of a quadratic spline jumps, but not at random points.
    assert torch.autograd.gradgradcheck(sampler, (image, grid))


def test_the_second_derivative_at_a_pixel_is_that_of_the_spline():
    x = torch.arange(40, dtype=torch.float64)
    image = (x**2).expand(1, 1, 3, 40)
    sampler = stnkit.build("sampler", "bspline", padding="border")

    def value(at):
        points = torch.stack([at, torch.ones_like(at)])[None, None, None]
        return sampler(image, stnkit.coordinates.from_pixels(points, (3, 40))).sum()

    second = torch.autograd.functional.hessian(value, torch.tensor(20.0, dtype=torch.float64))
    assert abs(second - 2) < 1e-6


@pytest.mark.parametrize("order", [-1, 0, 1, 6])
def test_other_orders_are_refused(order):
    with pytest.raises(stnkit.errors.InputError, match="order: expected 2, 3, 4 or 5"):
        stnkit.build("sampler", "bspline", order=order)


def test_every_padding_has_its_mode_in_scipy():
    assert set(MODES) == {str(padding) for padding in stnkit.samplers.Padding}


@pytest.mark.slow
@pytest.mark.no_jaxtyping
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("order", ORDERS)
def test_a_compiled_spline_is_the_same(order, backend):
    """pytorch 197894: TorchDynamo computes a negative constant to a power as −(its absolute value to it)."""
    torch.compiler.reset()
    sampler = stnkit.build("sampler", "bspline", order=order)
    image, grid = random_image((6, 9)), random_grid(2)
    compiled = torch.compile(sampler, backend=backend, fullgraph=True)
    torch.testing.assert_close(compiled(image, grid), sampler(image, grid))
