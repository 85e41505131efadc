"""The learned sampling grid as lines to draw on an image."""

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates
from stnkit.families.family import TransformFamily


def grid_lines(
    family: TransformFamily, theta: Float[Tensor, "B P"], lines: int = 7, points: int = 40
) -> Float[Tensor, "B points twice_lines 2"]:
    """T_θ of the lines of a regular lattice over [-1, 1]: the input points that the output reads, normalized.

    Args:
        family: of two dimensions.
        theta: one row for each image.
        lines: number of lines in each direction, the edges of the output included.
        points: number of points along each line.

    Returns:
        Points along each line, the vertical lines before the horizontal ones.
    """
    along = torch.linspace(-1, 1, points, dtype=theta.dtype, device=theta.device)
    across = torch.linspace(-1, 1, lines, dtype=theta.dtype, device=theta.device)
    vertical = coordinates.mesh([along, across])
    target = torch.cat([vertical, vertical.flip(-1)], dim=1)
    source = family(theta, target.reshape(1, -1, 2))
    return source.view(len(theta), *target.shape)
