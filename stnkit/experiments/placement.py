"""Networks with spatial transformers at the insertion points that a config names."""

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.errors import InputError, StnkitError, one_line
from stnkit.families.family import TransformFamily
from stnkit.insertion.components import COMPONENTS, make_transformers
from stnkit.insertion.find import find_transformers
from stnkit.insertion.insert import insert_transformers
from stnkit.insertion.passes import modes_and_random_state_restored
from stnkit.insertion.points import INPUT, submodule_name
from stnkit.localizers import Localizer, refused_image
from stnkit.networks import Network
from stnkit.plugin_system import build, plugin_registry
from stnkit.samplers.sampler import Sampler
from stnkit.transformer import ParallelTransformers, SpatialTransformer


class TransformedNetwork(nn.Module):
    """network ∘ transformer: the output, such as logits, for the transformed image.

    Args:
        transformer: at the input, or None.
        network: the classifier or encoder; it may have transformers inside.
    """

    def __init__(self, transformer: SpatialTransformer | ParallelTransformers | None, network: Network) -> None:
        super().__init__()
        self.transformer = transformer
        self.network = network

    def transformers(self) -> dict[str, SpatialTransformer]:
        """Every transformer by its insertion point in `network`, as `find_transformers` names it."""
        at_input = {} if self.transformer is None else find_transformers(self.transformer)
        return at_input | find_transformers(self.network)

    def options_from_images(self) -> dict[str, dict[str, Any]]:
        """By insertion point, the options that the transform, or a stage of it, has taken from the images there."""
        families = {point: transformer.family for point, transformer in self.transformers().items()}
        taken = {
            point: {name: value for module in family.modules() for name, value in _taken_by(module).items()}
            for point, family in families.items()
        }
        return {point: values for point, values in taken.items() if values}

    def charts(self) -> list[str]:
        """The insertion points at which the transform is a chart, so that the network never sees the image itself."""
        return [point for point, transformer in self.transformers().items() if transformer.family.is_chart]

    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B *outputs"]:
        """The output of the network, such as one logit for each class."""
        return self.network(image if self.transformer is None else self.transformer(image))


def _taken_by(module: nn.Module) -> Mapping[str, Any]:
    return module.options_from_images if isinstance(module, TransformFamily) else {}


def input_transformer(network: nn.Module) -> SpatialTransformer | None:
    """The transformer at the input of a network, or None where there is none or several in parallel.

    Args:
        network: such as a TransformedNetwork, whose attribute `transformer` stands at the input.
    """
    transformer = getattr(network, "transformer", None)
    return transformer if isinstance(transformer, SpatialTransformer) else None


def input_described(network: nn.Module) -> str:
    """The transformers at the input of a network in words, for messages: none, one, or their number in parallel.

    Args:
        network: as `input_transformer` takes it.
    """
    transformer = getattr(network, "transformer", None)
    if isinstance(transformer, ParallelTransformers):
        return f"{len(transformer.transformers)} in parallel"
    return "none" if transformer is None else "one"


def reads_pairs(network: nn.Module) -> bool:
    """True if the transformer at the input of a network warps the moving image of pairs.

    Args:
        network: as `input_transformer` takes it.
    """
    transformer = input_transformer(network)
    return transformer is not None and transformer.sampled_channels is not None


def build_network(
    config: Mapping[str, Any],
    at: Sequence[str],
    in_shape: tuple[int, ...],
    n_classes: int | None,
    parallel: int = 1,
    recurrent: int = 1,
    pair: bool = False,
    parts: Mapping[str, Any] | None = None,
) -> TransformedNetwork:
    """Build the network of a config with its spatial transformers.

    Args:
        config: a name or mapping for each of transform, localizer, sampler and network, and `out_size`, which is
            that of the transformer at the input; optionally `transform_init`.
        at: the insertion points, `input` or submodules of the network by name; none for the network alone.
        in_shape: (C, *size) of the images.
        n_classes: number of outputs of the network; None for a network that gives the image itself.
        parallel: number of parallel transformers at each point.
        recurrent: number of passes through each localizer.
        pair: True for pairs of images, of which the transformer at the input warps the first.
        parts: by point of `at`, the options that differ there: components, `out_size`, `parallel`, `recurrent`,
            `transform_init`.

    Raises:
        InputError: when a component does not fit the images, an insertion point does not exist, or the network does
            not give n_classes outputs for an image.
    """
    if pair and (list(at) != [INPUT] or parallel > 1):
        raise InputError(
            f"placement.pair: expected one transformer at the input, got placement.at={list(at)} "
            f"placement.parallel={parallel}"
        )
    if pair and in_shape[0] % 2:
        raise InputError(f"placement.pair: expected pairs, an even number of channels, got {in_shape[0]}")
    own = dict(parts or {})
    for name, options in own.items():
        if name not in at:
            raise InputError(f"placement.parts: expected insertion points of placement.at, {list(at)}, got {name!r}")
        if not isinstance(options, Mapping | None):
            raise InputError(
                f"placement.parts.{name}: expected a mapping of options, such as {{transform: affine}}, got {options!r}"
            )
    if len(set(at)) < len(at):
        raise InputError(f"placement.at: expected each insertion point once, got {list(at)}")
    if config["out_size"] is not None and at and INPUT not in at:
        raise InputError(
            f"out_size: expected null, got {list(config['out_size'])}: it is the size at the input, and placement.at "
            f"is {list(at)}; another insertion point has placement.parts.POINT.out_size"
        )
    common = {name: config[name] for name in COMPONENTS} | {"parallel": parallel, "recurrent": recurrent}
    common["transform_init"] = config.get("transform_init")  # absent from configs of earlier versions
    points = {name: common | dict(own.get(name) or {}) for name in at}
    transformer, network_shape = None, in_shape
    if INPUT in points:
        points[INPUT].setdefault("out_size", config["out_size"])
        moving = in_shape[0] // 2 if pair else None
        transformer = make_transformers(INPUT, points[INPUT], in_shape, moving)
        n_channels = (moving or in_shape[0]) * points[INPUT]["parallel"]
        network_shape = (n_channels, *(transformer.out_size or in_shape[1:]))
    network = build("network", config["network"], in_shape=network_shape, n_classes=n_classes or 1)
    inside = {submodule_name(network, name): points[name] for name in at if name != INPUT}
    insert_transformers(network, inside, torch.zeros(1, *network_shape))
    whole = TransformedNetwork(transformer, network)
    _check_output(whole, in_shape, network_shape, n_classes)
    return whole


def _refusal(
    network: Network, in_shape: tuple[int, ...], network_shape: tuple[int, ...], error: RuntimeError
) -> Exception:
    """The error of the component that has failed: one of a transformer, at the input or inside, or the network."""
    component = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        caller = frame.f_locals.get("self")
        component = caller if isinstance(caller, TransformFamily | Sampler | Localizer) else component
    refused = refused_image(type(network).__name__, network_shape, error)
    if refused is error:
        return refused
    told = str(refused)
    if component is not None:
        told = f"{type(component).__name__} has failed for images of shape {list(in_shape)}: {one_line(error)}"
    return InputError(told + _place_in_plugin(type(network if component is None else component), error))


def _place_in_plugin(cls: type, error: RuntimeError) -> str:
    """The line of its module that a plugin's author looks for; empty for a component of stnkit itself."""
    own = any(entry.component.cls is cls and entry.is_own for entry in plugin_registry().registered)
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == cls.__module__
    ]
    return "" if own or not lines else f" ({cls.__module__}, line {lines[-1]})"


def _check_output(
    network: TransformedNetwork, in_shape: tuple[int, ...], network_shape: tuple[int, ...], n_classes: int | None
) -> None:
    """Run the network on one image, so that layers which do not fit are found before the data is read."""
    name = type(network.network).__name__
    try:
        with modes_and_random_state_restored(network):
            logits = network(torch.zeros(1, *in_shape))
    except StnkitError:
        raise
    except RuntimeError as error:
        told = _refusal(network.network, in_shape, network_shape, error)
        if told is error:  # from itself it would be its own cause
            raise
        raise told from error
    shape = list(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
    if n_classes is not None and shape != [1, n_classes]:
        raise InputError(f"{name}: expected logits of shape (B, n_classes) {[1, n_classes]}, got {shape}")
