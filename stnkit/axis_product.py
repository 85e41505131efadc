"""Points of a lattice from its axes."""

from collections.abc import Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor


def mesh(axes: Sequence[Tensor]) -> Shaped[Tensor, "*size ndim"]:
    """The points whose coordinates lie on given axes, x before y (before z).

    Args:
        axes: coordinates along each axis, in the order of the image's axes: of y and x, or of z, y and x.

    Example:
        >>> import torch, stnkit
        >>> stnkit.coordinates.mesh([torch.tensor([5, 6]), torch.tensor([0])]).tolist()
        [[[0, 5]], [[0, 6]]]
    """
    return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1], dim=-1)
