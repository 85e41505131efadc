"""Where spatial transformers go in a network."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.errors import InputError
from stnkit.insertion.insert import PARTS, insert_transformers, make_transformers
from stnkit.insertion.points import CHILD, INPUT, submodule_name
from stnkit.networks import Network
from stnkit.plugin_system.building import build
from stnkit.transformer import ParallelTransformers, SpatialTransformer


class TransformedNetwork(nn.Module):
    """network ∘ transformer: the network sees the image as the transformer straightens it.

    Args:
        transformer: what stands at the input, None for nothing.
        network: what classifies; it may have transformers inside.
    """

    def __init__(self, transformer: SpatialTransformer | ParallelTransformers | None, network: Network) -> None:
        super().__init__()
        self.transformer = transformer
        self.network = network

    def transformers(self) -> dict[str, SpatialTransformer]:
        """Every transformer by its place, `input` or a module's name; parallel ones are numbered from 1."""
        found = {}
        for name, module in self.named_modules():
            if isinstance(module, SpatialTransformer):
                host, _, child = name.removeprefix("network.").partition(f".{CHILD}")
                if name.startswith("transformer"):
                    host, child = INPUT, name.removeprefix("transformer")
                number = child.rpartition(".")[2]
                found[f"{host} {int(number) + 1}" if number else host] = module
        return found

    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_classes"]:
        """One logit for each class."""
        return self.network(image if self.transformer is None else self.transformer(image))


def place(
    config: Mapping[str, Any],
    at: Sequence[str],
    in_shape: tuple[int, ...],
    n_classes: int,
    parallel: int = 1,
    recurrent: int = 1,
    parts: Mapping[str, Mapping[str, Any]] | None = None,
) -> TransformedNetwork:
    """The network of a config with its spatial transformers.

    Args:
        config: a name or mapping for each of transform, localizer, sampler and network, and `out_size`, which is
            that of the transformer at the input.
        at: the places, `input` or submodules of the network by name; nothing for the plain network.
        in_shape: (C, *size) of the images.
        n_classes: number of classes.
        parallel: number of transformers beside each other at each place.
        recurrent: number of times that each localizer looks.
        parts: for a place of `at`, what is other there than in the config: parts, `out_size`, `parallel`,
            `recurrent`.

    Raises:
        InputError: when a part does not fit the images, or there is no such place.
    """
    own = dict(parts or {})
    for name in own:
        if name not in at:
            raise InputError(f"placement.parts has {name!r}, which is not among the places of placement.at, {list(at)}")
    if len(set(at)) < len(at):
        raise InputError(f"placement.at names a place twice: {list(at)}")
    if config["out_size"] is not None and at and INPUT not in at:
        raise InputError(
            f"out_size is that of the transformer at the input, and placement.at is {list(at)}; "
            f"for another place it is placement.parts.PLACE.out_size"
        )
    common = {name: config[name] for name in PARTS} | {"parallel": parallel, "recurrent": recurrent}
    places = {name: common | dict(own.get(name) or {}) for name in at}
    transformer, network_shape = None, in_shape
    if INPUT in places:
        places[INPUT].setdefault("out_size", config["out_size"])
        transformer = make_transformers(INPUT, places[INPUT], in_shape)
        n_channels = in_shape[0] * places[INPUT]["parallel"]
        network_shape = (n_channels, *(transformer.out_size or in_shape[1:]))
    network = build("network", config["network"], in_shape=network_shape, n_classes=n_classes)
    inside = {submodule_name(network, name): places[name] for name in at if name != INPUT}
    insert_transformers(network, inside, torch.zeros(1, *network_shape))
    return TransformedNetwork(transformer, network)
