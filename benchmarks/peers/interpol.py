"""torch-interpol's reading of a lattice by splines."""

import interpol
import torch
from torch import Tensor
from torch.nn import functional as F

from peers import leaf, share
from stnkit import coordinates
from warp import Inputs, Warp, ready_grid

# Pixels of one call, about a second and a half with the gradient. Three channels of an image that is read by cubic
# splines cost as much as the weights do.
PIXELS = 8e5


def bspline(inputs: Inputs) -> Warp:
    """`grid_pull` of the control lattice for the displacement of every pixel, and `grid_sample` of the image.

    `grid_pull` reads images as well, but about ten times slower.
    """
    n_rows, n_columns = inputs.family.control_points
    batch, _, height, width = inputs.image.shape
    size = (height, width)
    images = share(inputs.image, height * width, PIXELS)
    image = leaf(inputs.image[:images])
    displacements = leaf(inputs.theta[:images].view(-1, 2, n_rows, n_columns))
    identity = coordinates.lattice(size, device=image.device)
    # Indices of the lattice, row before column: control point 1 lies at −1, and point n − 2 at 1.
    rows = (coordinates.axis(height, dtype=torch.float64) + 1) * ((n_rows - 3) / 2) + 1
    columns = (coordinates.axis(width, dtype=torch.float64) + 1) * ((n_columns - 3) / 2) + 1
    positions = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).to(image)

    def output() -> Tensor:
        # θ holds the coefficients of the splines, so that nothing is to be filtered before. No pixel is reached from
        # beyond the lattice: any bound gives the same, and this one is the fastest.
        displacement = interpol.grid_pull(
            displacements, positions, interpolation=3, bound="replicate", extrapolate=True
        )
        return F.grid_sample(image, identity + displacement.movedim(1, -1), align_corners=False)

    return Warp(output, (image, displacements), images if images < batch else None)


def bspline_sampling(inputs: Inputs) -> Warp:
    """`grid_pull` of the image by cubic splines, from a ready grid; as stnkit's `bspline` with padding=reflection."""
    batch, channels, height, width = inputs.image.shape
    size = (height, width)
    images = share(inputs.image, height * width * (1 + channels / 3), PIXELS)
    image = leaf(inputs.image[:images])
    # Pixel indices, row before column.
    grid = leaf(coordinates.to_pixels(ready_grid(inputs)[:images], size).flip(-1))

    def output() -> Tensor:
        # dct2 is stnkit's reflection. With zeros the two filter the image differently near its border.
        return interpol.grid_pull(image, grid, interpolation=3, bound="dct2", extrapolate=True, prefilter=True)

    return Warp(output, (image, grid), images if images < batch else None)
