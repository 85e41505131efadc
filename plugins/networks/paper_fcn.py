"""The paper's fully connected network."""

import itertools
import math
from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

import stnkit


class PaperFCN(stnkit.Network):
    """Two hidden fully connected layers with ReLU, then the logits.

    The paper states 400,000 parameters and no widths; 350 gives 401,110 parameters at 28×28 and 10 classes. It makes no
    sense for images with a side above 96 pixels behind the average-pool: the weights grow with the area.

    Args:
        in_shape: (C, *size) of the images; the program supplies it.
        n_classes: number of classes; the program supplies it.
        hidden: width of each hidden layer; null is [350, 350].
        average_pool: factor of an average-pool in front; by default 2 for images of 42 pixels or more on each side
            (the paper's RTS and TC), else 1 for none.

    Raises:
        InputError: when a width or the pool is less than 1, the pool is larger than the image, or the image too large.

    Example:
        >>> import torch, stnkit
        >>> network = stnkit.build("network", "paper_fcn", in_shape=(1, 28, 28), n_classes=10)
        >>> sum(p.numel() for p in network.parameters())
        401110

    Source: Jaderberg et al. 2015, section 4.1.
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        n_classes: int,
        hidden: list[int] | None = None,
        average_pool: int | None = None,
    ) -> None:
        super().__init__()
        hidden = [350, 350] if hidden is None else hidden
        if not hidden or min(hidden) < 1:
            raise stnkit.errors.InputError(f"hidden: expected one or more widths of at least 1, got {hidden}")
        n_channels, *size = in_shape
        front, left = stnkit.networks.pool_in_front(size, average_pool)
        n_inputs = n_channels * math.prod(left)
        widths = [n_inputs, *hidden]
        layers = [layer for pair in itertools.pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(*front, nn.Flatten(), *layers, nn.Linear(widths[-1], n_classes))

    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_classes"]:
        return self.layers(image)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("paper_fcn", PaperFCN)
