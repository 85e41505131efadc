"""Parts of localizers for images and volumes alike."""

import numpy as np
import pytest
import torch

import stnkit


def average_of_cells(image, factor):
    """The mean of each cell of factor³ pixels, of those that there are at the end of an axis."""
    cells = [[slice(at, at + factor) for at in range(0, n, factor)] for n in image.shape[2:]]
    means = [[[image[:, :, z, y, x].mean((2, 3, 4)) for x in cells[2]] for y in cells[1]] for z in cells[0]]
    return np.stack([np.stack([np.stack(row, -1) for row in plane], -2) for plane in means], -3)


@pytest.mark.parametrize("size", [(1, 1, 1), (2, 9, 5), (3, 4, 16), (8, 7, 6)])
@pytest.mark.parametrize("factor", [1, 2, 4, 8])
def test_a_pool_of_volumes_averages_what_there_is(size, factor):
    volumes = torch.rand(2, 3, *size, dtype=torch.float64)
    found = stnkit.localizers.average_pool(3, factor)(volumes)
    np.testing.assert_allclose(found.numpy(), average_of_cells(volumes.numpy(), factor), atol=1e-12)


@pytest.mark.parametrize("factor", [2, 8])
def test_a_pool_of_one_slice_is_that_of_the_image(factor):
    images = torch.rand(2, 3, 5, 17)
    expected = stnkit.localizers.average_pool(2, factor)(images)
    found = stnkit.localizers.average_pool(3, factor)(images[:, :, None])
    torch.testing.assert_close(found[:, :, 0], expected, atol=1e-6, rtol=0)


@pytest.mark.no_jaxtyping
def test_a_pool_of_volumes_is_traced_and_exported():
    volumes, pool = torch.rand(2, 1, 3, 8, 9), stnkit.localizers.average_pool(3, 4)
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        traced = torch.jit.trace(pool, volumes)
    batch = torch.export.Dim("batch", min=1)
    exported = torch.export.export(pool, (volumes,), dynamic_shapes=({0: batch},)).module()
    for other in (volumes[:1], torch.rand(5, 1, 3, 8, 9)):
        assert torch.equal(traced(other), pool(other))
        assert torch.equal(exported(other), pool(other))
