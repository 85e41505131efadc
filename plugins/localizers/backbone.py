"""A localizer of key points in a map of a network, such as one that another run has trained."""

import math
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

import stnkit
from stnkit.errors import InputError


class Backbone(stnkit.Localizer):
    """The key points Σ_p w_k(p)·p of heat maps w_k = softmax(h_k / τ), h a 1×1 convolution of a map of a network.

    The modules of the network behind that map are left out. A network that has learned to tell classes apart knows
    where the objects are: with `init_from=RUN init_parts={transformer.localizer.network:network}` this one starts from
    its weights, and with `frozen` keeps them.

    Args:
        in_shape: (C, *size) of the images; the program supplies it.
        network: any network, by its name or as a mapping with its options.
        layer: name of the module of the network that gives the map, null for the last one that gives a map.
        points: K, the number of key points, at least 1.
        temperature: τ, at least 1e-6: the lower, the nearer is a point to the largest value of its heat map.
        frozen: true for a network that does not learn, with batch-norm by its running statistics.

    Raises:
        InputError: when the network has no such layer, the layer gives no map or needs a part of the network that
            stands behind it, or an option is out of its range.

    Example:
        >>> import torch, stnkit
        >>> localizer = stnkit.build("localizer", "backbone", in_shape=(3, 64, 64), points=5)
        >>> image = torch.rand(2, 3, 64, 64)
        >>> localizer.map(image).shape, localizer(image).shape
        (torch.Size([2, 64, 8, 8]), torch.Size([2, 10]))

    Source: Jaderberg et al. 2015, section 4.3 (a classifier without its last layers as localizer); Levine et al. 2016,
        section 5.1 (spatial soft arg-max).
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        network: str | dict[str, Any] = "resnet",
        layer: str | None = None,
        points: int = 16,
        temperature: float = 0.1,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        if points < 1:
            raise InputError(f"points: expected at least 1, got {points}")
        stnkit.localizers.check_temperature(temperature)
        _, size = stnkit.localizers.channels_and_size(in_shape)
        whole = stnkit.build("network", network, in_shape=in_shape, n_classes=1)
        self.network, self._end, n_channels = _up_to(layer, whole, in_shape)
        convolution: Any = nn.Conv2d if len(size) == 2 else nn.Conv3d
        # A bias of a heat map would not change its softmax.
        self.heat = convolution(n_channels, points, 1, bias=False)
        self.temperature = temperature
        self.frozen = frozen
        if frozen:
            self.network.requires_grad_(False).eval()
        self.in_shape = tuple(in_shape)
        self.n_features = points * len(size)

    def train(self, mode: bool = True) -> "Backbone":
        """Set the mode of all modules but a frozen network, which stays in evaluation.

        Args:
            mode: true for training.
        """
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self

    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        return self.points(image).flatten(1)

    def points(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B K ndim"]:
        """The key points in normalized coordinates, x before y (before z).

        Args:
            image: a batch of images.
        """
        return stnkit.localizers.soft_arg_max(self.heat(self.map(image)), self.temperature)[1]

    def map(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B D *any"]:
        """The output of the layer of the network.

        Args:
            image: a batch of images.
        """
        return self._end.output_of(self.network, image)


class _ReachedError(Exception):
    """The layer of a network has its output, and all that stands behind it need not run."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output


class _End:
    """A hook of the layer at which a network ends."""

    def __init__(self) -> None:
        self._exported: Any = None

    def __call__(self, module: nn.Module, given: Any, output: Any) -> None:
        # The tracer of torch.export is lost when a module does not return. It drops what nobody reads.
        if not torch.compiler.is_exporting():
            raise _ReachedError(output)
        self._exported = output

    def output_of(self, network: nn.Module, image: Tensor) -> Tensor:
        """The output of the layer for a batch of images.

        Args:
            network: to which the layer belongs.
            image: a batch of images.

        Raises:
            InputError: when the network does not call the layer.
        """
        try:
            network(image)
        except _ReachedError as reached:
            return cast("Tensor", reached.output)
        found, self._exported = self._exported, None
        if found is None:
            raise InputError(f"layer: expected one that {type(network).__name__} calls for each image")
        return cast("Tensor", found)


def _up_to(layer: str | None, network: nn.Module, in_shape: tuple[int, ...]) -> tuple[nn.Module, _End, int]:
    """A network without the modules that are not called before the end of a layer, this end, and the channels there."""
    image = torch.linspace(0, 1, math.prod(in_shape)).reshape(1, *in_shape)
    modes = {module: module.training for module in network.modules()}
    network.eval()
    outputs = _outputs(network, image)
    maps = [name for name, output in outputs.items() if name and _is_map(output, image.ndim)]
    if not maps:
        raise InputError(f"network: expected one with a map of features, got {type(network).__name__}")
    chosen = maps[-1] if layer is None else layer
    if chosen not in maps:
        outer = [name for name in maps if name.count(".") == maps[-1].count(".")]
        raise InputError(f"layer: expected one that gives a map, such as {', '.join(outer)}, got {layer!r}")
    names = list(outputs)
    called = [f"{name}." for name in names[: names.index(chosen) + 1]]
    for name, module in list(network.named_modules()):
        is_called = any(other.startswith(f"{name}.") or f"{name}.".startswith(other) for other in called)
        # A network may go through a list of modules, also where it calls none of them.
        if name and not is_called and not isinstance(module, nn.ModuleList | nn.ModuleDict):
            parent, _, own = name.rpartition(".")
            setattr(network.get_submodule(parent), own, nn.Identity())
    end = _End()
    network.get_submodule(chosen).register_forward_hook(end)
    try:
        with torch.no_grad():
            found = end.output_of(network, image)
    except (AttributeError, TypeError, LookupError) as error:
        raise InputError(
            f"layer: expected one that {type(network).__name__} reaches without what stands behind it, got {chosen!r}: "
            f"{stnkit.errors.one_line(error)}"
        ) from error
    for module, mode in modes.items():
        module.training = mode
    return network, end, found.shape[1]


def _outputs(network: nn.Module, image: Tensor) -> dict[str, Any]:
    """The first output of each module of a network by its name, in the order in which they end."""
    outputs: dict[str, Any] = {}

    def record(name: str) -> Callable[..., None]:
        def recorded(module: nn.Module, given: Any, output: Any) -> None:
            outputs.setdefault(name, output)

        return recorded

    handles = [module.register_forward_hook(record(name)) for name, module in network.named_modules()]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    return outputs


def _is_map(output: object, ndim: int) -> bool:
    return isinstance(output, Tensor) and output.ndim == ndim and max(output.shape[2:]) > 1


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("backbone", Backbone)
