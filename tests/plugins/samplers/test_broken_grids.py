"""Points and pixels that are not finite spread no farther than they must."""

import pytest
import torch

import stnkit
from stnkit.samplers import padded
from tests.samplers.test_padding import NAMES


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection", "mirror", "circular", "fill"])
@pytest.mark.parametrize("name", NAMES)
def test_a_nonfinite_grid_does_not_crash_forward_or_backward(name, padding):
    sampler = stnkit.build("sampler", name, padding=padding)
    image = torch.rand(1, 1, 6, 6, requires_grad=True)
    grid = stnkit.coordinates.lattice((6, 6))[None].clone()
    grid[0, 0, 0], grid[0, 1, 1, 0], grid[0, 2, 2, 1] = torch.nan, torch.inf, -torch.inf
    grid.requires_grad_(name != "nearest")
    out = sampler(image, grid)
    out.nan_to_num().sum().backward()
    # The other points are read as ever.
    finite = torch.isfinite(grid).all(dim=-1)[0]
    clean = torch.where(torch.isfinite(grid), grid, 0.0).detach()
    if name not in ("antialiased", "area"):  # whose footprint looks at the neighbors
        torch.testing.assert_close(out[0, 0][finite], sampler(image, clean)[0, 0][finite])
    if padding in ("border", "reflection", "mirror", "circular"):
        assert bool(torch.isfinite(out).all())


FAR = [torch.inf, -torch.inf, torch.nan, 1e5, -1e12, 3e38, -3e38]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("padding", ["zeros", "fill"])
@pytest.mark.parametrize("name", NAMES)
def test_points_that_lie_nowhere_read_the_padding(name, padding, ndim):
    """As in SciPy, whose `constant` mode gives cval for such coordinates; without a gradient."""
    image = torch.rand(1, 2, *[5] * ndim)
    # One point at a time: the antialiased footprint looks at the neighbors.
    for axis in range(ndim):
        for coordinate in FAR:
            grid = torch.zeros(1, *[1] * ndim, ndim)
            grid[..., axis] = coordinate
            grid.requires_grad_(name != "nearest")
            out = stnkit.build("sampler", name, padding=padding, fill_value=3.0)(image, grid)
            assert out.flatten().tolist() == [3.0 if padding == "fill" else 0.0] * 2
            if name != "nearest":
                (gradient,) = torch.autograd.grad(out.sum(), grid)
                assert not gradient.any()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize("size", [(6, 6), (4, 4, 4)])
@pytest.mark.parametrize("padding", ["zeros", "fill"])
@pytest.mark.parametrize("name", [*NAMES, "double backward"])
def test_a_bad_pixel_at_an_edge_is_not_read_from_outside(name, padding, size, value):
    """Images.jl 995: the weight of a clamped pixel is 0, and 0 · NaN is NaN. SciPy reads 0 there."""
    options = {"double_backward": True} if name == "double backward" else {}
    name = "bilinear" if options else name
    sampler = stnkit.build("sampler", name, padding=padding, fill_value=3.0, **options)
    image = torch.rand(1, 1, *size)
    image[(0, 0, *[0] * len(size))] = value
    image.requires_grad_()
    grid = torch.full((1, *[1] * len(size), len(size)), -9.0, requires_grad=name != "nearest")
    out = sampler(image, grid)
    assert out.item() == (3.0 if padding == "fill" else 0.0)
    out.sum().backward()
    assert image.grad is None or not image.grad.any()
    assert grid.grad is None or not grid.grad.any()


@pytest.mark.parametrize("name", NAMES)
def test_a_large_fill_value_changes_nothing_inside(name):
    # So far from the edges that no kernel reaches them, and the spline's only by less than a rounding error.
    image, grid = torch.rand(2, 3, 64, 70), 0.2 * (2 * torch.rand(2, 5, 6, 2) - 1)
    plain = stnkit.build("sampler", name)(image, grid)
    assert torch.equal(stnkit.build("sampler", name, padding="fill", fill_value=1e6)(image, grid), plain)
    outside = stnkit.build("sampler", name, padding="fill", fill_value=1e6)(image, grid + 9)
    assert torch.equal(outside, torch.full_like(outside, 1e6))


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])  # native and composite
def test_a_grid_that_was_changed_in_place_is_looked_at_again(context, dtype):
    family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
    image = torch.rand(1, 1, 6, 6, dtype=dtype)
    with context():
        grid = family.grid(family.identity().to(dtype)[None], (6, 6))
        torch.testing.assert_close(sampler(image, grid), image)
        grid[0, 0, 0] = torch.nan
        out = sampler(image, grid)
    assert out[0, 0, 0, 0] == 0
    torch.testing.assert_close(out[0, 0, 1:], image[0, 0, 1:])


class Keeping(torch.nn.Module):
    """A sampler that keeps its grid, and a hook of one, which may change it."""

    def __init__(self):
        super().__init__()
        self.inner = stnkit.build("sampler", "bilinear")

    def forward(self, image, grid):
        self.grid = grid
        return self.inner(image, grid)

    @staticmethod
    def spoil(sampler, arguments):
        arguments[1][0, 0, 0] = torch.nan


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_a_grid_that_a_warp_has_given_away_is_looked_at_again(context):
    family, sampler, image = stnkit.build("transform", "affine"), Keeping(), torch.rand(1, 1, 6, 6).double()
    theta = family.identity()[None]
    with context():
        torch.testing.assert_close(stnkit.warp(family, theta, image, sampler), image)
        sampler.grid[0, 0, 0] = torch.nan
        assert sampler(image, sampler.grid)[0, 0, 0, 0] == 0
        sampler.register_forward_pre_hook(Keeping.spoil)
        assert stnkit.warp(family, theta, image, sampler)[0, 0, 0, 0] == 0


def test_the_grid_of_a_warp_is_not_looked_at(monkeypatch):
    """To look at all points doubles the time of a small warp, in inference mode too."""
    family, sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")
    theta, image = family.identity()[None], torch.rand(1, 1, 6, 6).double()
    monkeypatch.setattr(stnkit.coordinates, "finite", lambda grid: pytest.fail("it was looked at"))
    monkeypatch.setattr(padded, "known_within", lambda grid, limit: False)
    for context in (torch.no_grad, torch.inference_mode):
        with context():
            torch.testing.assert_close(stnkit.warp(family, theta, image, sampler), image)
