"""Where spatial transformers go in a network."""

from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from stnkit.building import build
from stnkit.errors import InputError
from stnkit.experiments.networks import Network
from stnkit.transformer import SpatialTransformer

INPUT = "input"


class TransformedNetwork(nn.Module):
    """network ∘ transformer: the network sees the image as the transformer straightens it.

    Args:
        transformer: None for the plain network.
        network: what classifies.
    """

    def __init__(self, transformer: SpatialTransformer | None, network: Network) -> None:
        super().__init__()
        self.transformer = transformer
        self.network = network

    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_classes"]:
        """One logit for each class."""
        return self.network(image if self.transformer is None else self.transformer(image))


def place(parts: Mapping[str, Any], at: Sequence[str], in_shape: tuple[int, ...], n_classes: int) -> TransformedNetwork:
    """The network of a config with its spatial transformers.

    Args:
        parts: a name or mapping for each of transform, localizer, sampler and network, and `out_size`.
        at: `["input"]`, or nothing for the plain network.
        in_shape: (C, *size) of the images.
        n_classes: number of classes.

    Raises:
        InputError: when a part does not fit the images, or there is no such place.
    """
    if list(at) not in ([], [INPUT]):
        raise InputError(f"placement.at must be [] or [{INPUT}], but {list(at)} was given")
    transformer = None
    if INPUT in at:
        family = build("transform", parts["transform"])
        if family.ndim != len(in_shape) - 1:
            raise InputError(
                f"transform {parts['transform']['name']!r} warps {family.ndim} dimensions, "
                f"but the images have {len(in_shape) - 1}: {list(in_shape)}"
            )
        transformer = SpatialTransformer(
            build("localizer", parts["localizer"], in_shape=in_shape),
            family,
            build("sampler", parts["sampler"]),
            parts["out_size"],
        )
        in_shape = (in_shape[0], *(transformer.out_size or in_shape[1:]))
    network = build("network", parts["network"], in_shape=in_shape, n_classes=n_classes)
    return TransformedNetwork(transformer, network)
