import pytest
import torch

import stnkit
from tests.samplers.test_padding import NAMES


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection", "circular", "fill"])
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
    if name not in ("antialiased",):  # whose footprint looks at the neighbors
        torch.testing.assert_close(out[0, 0][finite], sampler(image, clean)[0, 0][finite])
    if padding in ("border", "reflection", "circular"):
        assert bool(torch.isfinite(out).all())
