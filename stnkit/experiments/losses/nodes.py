"""The lattice of points at which the losses on θ compare two maps."""

from jaxtyping import Float
from torch import Tensor

from stnkit import coordinates

# Number of nodes along each axis.
NODES = 4
# Half images. Nodes that a map sends beyond, close to a horizon, would outweigh all others.
FARTHEST = 10.0
# Squared half images. A map with a smaller extent is a collapse to a point, and cannot be its own unit of length.
SMALLEST = 1e-6


def comparison_nodes(ndim: int, like: Tensor) -> Float[Tensor, "1 N ndim"]:
    """The nodes, normalized, in the dtype and on the device of a tensor.

    Args:
        ndim: of the maps, 2 or 3.
        like: any tensor.
    """
    return coordinates.lattice((NODES,) * ndim, dtype=like.dtype, device=like.device).view(1, -1, ndim)


def within_reach(points: Float[Tensor, "B N ndim"]) -> Float[Tensor, "B N ndim"]:
    """Points clamped to ±FARTHEST; what is not finite is replaced, with a gradient of zero.

    Args:
        points: images of the nodes.
    """
    return coordinates.finite(points, FARTHEST)


def centered(points: Float[Tensor, "B N ndim"]) -> tuple[Float[Tensor, "B 1 ndim"], Float[Tensor, "B N ndim"]]:
    """The center of points within reach, and the points about it.

    Args:
        points: images of the nodes.
    """
    points = within_reach(points)
    center = points.mean(dim=1, keepdim=True)
    return center, points - center
