"""libcpab's integrated velocity fields: the nearest relative of a piecewise affine warp, but another warp."""

import libcpab
import torch
from torch import Tensor

from peers import leaf, share
from warp import Inputs, Warp
from work import UnavailableError

CELLS = (5, 5)
# Pixels of one call, a second or two with the gradient: each goes through 50 steps in Python, for the package comes
# without the sources of its compiled integration.
PIXELS = 6e4


def cpab(inputs: Inputs, cells: tuple[int, int] = CELLS) -> Warp:
    """`transform_data` with a velocity field on 5 × 5 cells of four triangles; θ is its own, and random."""
    batch, _, height, width = inputs.image.shape
    if height * width > PIXELS:
        raise UnavailableError("not tried: 8 s a call")
    images = share(inputs.image, height * width, PIXELS)
    family = libcpab.Cpab(list(cells), device=str(inputs.image.device))
    generator = torch.Generator().manual_seed(0)
    theta = leaf(0.02 * torch.randn(images, family.get_theta_dim(), generator=generator).to(inputs.image))
    # It takes the column before the row.
    image = leaf(inputs.image[:images].transpose(2, 3))

    def output() -> Tensor:
        return family.transform_data(image, theta, outsize=[width, height]).transpose(2, 3)

    return Warp(output, (image, theta), images if images < batch else None)


def cpab_3x3(inputs: Inputs) -> Warp:
    """The same on 3 × 3 cells."""
    return cpab(inputs, (3, 3))
