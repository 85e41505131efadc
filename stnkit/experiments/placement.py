"""Where spatial transformers go in a network."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit import coordinates
from stnkit.building import build
from stnkit.errors import InputError
from stnkit.experiments.networks import Network
from stnkit.inserting import PARTS, check_parts, insert_transformers
from stnkit.parallel import ParallelTransformers
from stnkit.places import CHILD, INPUT, submodule_name
from stnkit.transformer import SpatialTransformer


class TransformedNetwork(nn.Module):
    """network ∘ transformer: the network sees the image as the transformer straightens it.

    The transformer at the input is this module's and not the network's, so that the network alone classifies
    images that are straightened already. Those inside are the network's.

    Args:
        network: what classifies.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    @property
    def transformer(self) -> SpatialTransformer | ParallelTransformers | None:
        """What stands at the input, or None."""
        return getattr(self, CHILD, None)

    def transformers(self) -> dict[str, SpatialTransformer]:
        """Every transformer by its place, `input` or a module's name; parallel ones are numbered from 1."""
        found = {}
        for name, module in self.named_modules():
            if isinstance(module, SpatialTransformer):
                host, _, child = f".{name.removeprefix('network.')}".partition(f".{CHILD}")
                number = child.rpartition(".")[2]
                found[(host[1:] or INPUT) + (f" {int(number) + 1}" if number else "")] = module
        return found

    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_classes"]:
        """One logit for each class."""
        return self.network(image)


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
    for name, chosen in places.items():
        check_parts(name, chosen)
    network_shape = in_shape
    if INPUT in places:
        size = places[INPUT].setdefault("out_size", config["out_size"]) or in_shape[1:]
        try:
            size = coordinates.check_size(size, len(in_shape) - 1)
        except InputError as error:
            raise InputError(f"out_size: {error}") from None
        network_shape = (in_shape[0] * places[INPUT]["parallel"], *size)
    network = TransformedNetwork(build("network", config["network"], in_shape=network_shape, n_classes=n_classes))
    # First what stands at the input, which makes of the image what the network is built for.
    at_input = {name: chosen for name, chosen in places.items() if name == INPUT}
    insert_transformers(network, at_input, torch.zeros(1, *in_shape))
    inside = {submodule_name(network.network, name): places[name] for name in at if name != INPUT}
    insert_transformers(network.network, inside, torch.zeros(1, *network_shape))
    return network
