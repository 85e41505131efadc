"""Points that determine a map on the image as far as any points do."""

import torch
from jaxtyping import Float
from torch import Tensor


def scattered_points(count: int, ndim: int) -> Float[Tensor, "1 count ndim"]:
    """Evenly scattered points of the image in float64, normalized, no two on one line along an axis: Sobol's sequence.

    A lattice of as many tells fewer functions of one coordinate apart.

    Args:
        count: of the points.
        ndim: number of coordinates.

    Example:
        >>> scattered_points(3, 2).tolist()
        [[[-1.0, -1.0], [0.0, 0.0], [0.5, -0.5]]]
    """
    engine = torch.quasirandom.SobolEngine(ndim)  # type: ignore[no-untyped-call]
    return 2 * engine.draw(count, dtype=torch.float64)[None] - 1
