"""No network."""

from collections.abc import Iterable
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

import stnkit


class NoNetwork(stnkit.Network):
    """The straightened image itself, for objectives that need nothing else.

    Example:
        >>> import torch, stnkit
        >>> network = stnkit.build("network", "none", in_shape=(1, 28, 28), n_classes=10)
        >>> network(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 1, 28, 28])
    """

    gives_image: ClassVar[bool] = True

    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B C *size"]:
        return image


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("none", NoNetwork)
