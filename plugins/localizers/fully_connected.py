"""A localizer of fully connected layers."""

import itertools
import math
from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor, nn

import stnkit


class FullyConnected(stnkit.Localizer):
    """relu(W_n … relu(W_1 x)): fully connected layers on the flattened image.

    Args:
        in_shape: (C, *size) of the images; the program supplies it.
        hidden: width of each layer; null is the paper's [32, 32, 32].

    Raises:
        InputError: when there is no layer, or a layer of no units.

    Example:
        >>> import stnkit
        >>> stnkit.build("localizer", "fully_connected", in_shape=(1, 28, 28), hidden=[64, 16]).n_features
        16

    Source: Jaderberg et al. 2015, section 4.1 (ST-FCN).
    """

    def __init__(self, in_shape: tuple[int, ...], hidden: list[int] | None = None) -> None:
        super().__init__()
        hidden = [32, 32, 32] if hidden is None else hidden
        if not hidden or min(hidden) < 1:
            raise stnkit.errors.InputError(f"hidden: expected one or more widths of at least 1, got {hidden}")
        widths = [math.prod(in_shape), *hidden]
        layers = [layer for pair in itertools.pairwise(widths) for layer in (nn.Linear(*pair), nn.ReLU())]
        self.layers = nn.Sequential(nn.Flatten(), *layers)
        self.n_features = hidden[-1]
        self.in_shape = in_shape

    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        return self.layers(image)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("fully_connected", FullyConnected)
