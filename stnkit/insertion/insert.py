"""`stnkit.insert_transformers`: spatial transformers in front of any modules of any network."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from stnkit.errors import InputError, StnkitError
from stnkit.insertion.points import CHILD, host_of
from stnkit.plugin_system.building import build
from stnkit.transformer import ParallelTransformers, SpatialTransformer

NetworkT = TypeVar("NetworkT", bound=nn.Module)

PARTS = ("transform", "localizer", "sampler")
OPTIONS = ("out_size", "parallel", "recurrent")


def insert_transformers(
    network: NetworkT, places: Mapping[str, Mapping[str, Any]], example_input: Tensor | tuple[Any, ...]
) -> NetworkT:
    """The network with spatial transformers in it: at first its output is the same as before.

        insert_transformers(
            network, {"layer2": {"transform": "affine", "localizer": "convolutional", "sampler": "bilinear"}}, image
        )

    The network is changed in place. Each transformer becomes a child `spatial_transformer` of the module that it
    stands in front of, on the device and in the dtype of the image there; all other names stay what they were.
    The network is run once on the example, in evaluation mode and without gradients, and each transformer is made
    for the image that arrives at its place. Where something is refused, the network stays as it was.

    Args:
        network: any module.
        places: for each place (`input`, or the name of a submodule: in full, or its end where no other ends so) the
            parts transform, localizer and sampler, each a name or a mapping `{"name": ..., option: value}`, and
            optionally `out_size` (the size of the output), `parallel` (so many transformers beside each other, their
            outputs one after the other on the channels: what follows must take them) and `recurrent` (so many looks
            of the localizer, see `SpatialTransformer`).
        example_input: what the network is called with: an image (B, C, *size), or a tuple of all its arguments.

    Returns:
        The network that was given.

    Raises:
        InputError: when there is no such place, it is not called exactly once in a pass, with an image (B, C, *size),
            it has a transformer already, a part cannot be built for it, or what follows does not take the output.
    """
    draws = _Draws()
    arrivals: list[_Arrival] = []
    for place, parts in places.items():
        _check_parts(place, parts)
        host = host_of(network, place)
        for other in arrivals:
            if other.host is host:
                raise InputError(f"places {other.place!r} and {place!r} are the same: in front of one module")
        if hasattr(host, CHILD):
            raise InputError(f"there is a {CHILD} at place {place!r} already")
        arrivals.append(_Arrival(place, parts, host, draws))
    if not arrivals:
        return network
    example = example_input if isinstance(example_input, tuple) else (example_input,)
    with _left_as_it_was(network), contextlib.ExitStack() as hooks:
        for arrival in arrivals:
            hooks.callback(arrival.host.register_forward_pre_hook(arrival.receive).remove)
        try:
            _run(network, example, arrivals)
        except BaseException:
            for arrival in arrivals:
                arrival.undo()
            raise
    torch.set_rng_state(draws.state)
    for arrival in arrivals:
        arrival.settle()
    return network


def make_transformers(
    place: str, parts: Mapping[str, Any], in_shape: tuple[int, ...]
) -> SpatialTransformer | ParallelTransformers:
    """What stands at a place.

    Args:
        place: as the user named it, for what is said of mistakes.
        parts: what `insert_transformers` takes for it.
        in_shape: (C, *size) of the images there.

    Raises:
        InputError: when the parts are not of that form, or one cannot be built for these images.
    """
    _check_parts(place, parts)
    try:
        transformers = [_transformer(parts, in_shape) for _ in range(parts.get("parallel", 1))]
    except StnkitError as error:
        raise type(error)(f"place {place!r}: {error}") from error
    return transformers[0] if len(transformers) == 1 else ParallelTransformers(transformers)


def _check_parts(place: str, parts: Any) -> None:
    if not isinstance(parts, Mapping):
        raise InputError(f"place {place!r} needs a mapping with {', '.join(PARTS)}, but {parts!r} was given")
    unknown = [key for key in parts if key not in (*PARTS, *OPTIONS)]
    missing = [key for key in PARTS if key not in parts]
    if unknown or missing:
        problem = f"there is no {unknown[0]!r}" if unknown else f"{missing[0]} is missing"
        raise InputError(f"place {place!r}: {problem}; it takes {', '.join(PARTS)}, and perhaps {', '.join(OPTIONS)}")
    for name in ("parallel", "recurrent"):
        n = parts.get(name, 1)
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise InputError(f"place {place!r}: {name} must be a whole number of at least 1, but {n!r} was given")


def _transform_first(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The hook of a module with a transformer: a function of this file, so that it is pickled by its name."""
    return (getattr(module, CHILD)(args[0]), *args[1:])


class _Arrival:
    """A place of which the transformer is made when an image arrives there.

    Args:
        place: as the user named it.
        parts: of its transformer.
        host: the module that the transformer stands in front of.
        draws: where the random numbers of its weights come from.
    """

    def __init__(self, place: str, parts: Mapping[str, Any], host: nn.Module, draws: "_Draws") -> None:
        self.place = place
        self.parts = parts
        self.host = host
        self.draws = draws
        self.made: nn.Module | None = None
        self.shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    def receive(self, host: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """A pre-hook: make the transformer of the place and use it."""
        image = self._image(args)
        with self.draws:
            made = make_transformers(self.place, self.parts, tuple(image.shape[1:]))
        self.made = made.to(device=image.device, dtype=_working_dtype(image, host)).eval()
        host.add_module(CHILD, made)
        # Not its `__call__`: who calls that is the host, which runs whatever children it has.
        warped = made.forward(image)
        self._refusal = made.register_forward_pre_hook(self._refuse_call)
        self.shapes = tuple(image.shape), tuple(warped.shape)
        return (warped, *args[1:])

    def settle(self) -> None:
        """Let the transformer be called by the hook that stays."""
        assert self.made is not None
        self._refusal.remove()
        self.made.train(self.host.training)
        self.host.register_forward_pre_hook(_transform_first)

    def undo(self) -> None:
        """Leave the host as it was."""
        if self.made is not None:
            delattr(self.host, CHILD)

    def _refuse_call(self, module: nn.Module, args: Any) -> None:
        raise InputError(f"place {self.place!r} is a module that calls all of its children, and a new one too")

    def _image(self, args: tuple[Any, ...]) -> Tensor:
        if self.made is not None:
            raise InputError(
                f"place {self.place!r} is called more than once in one pass, and a transformer stands in front of one "
                f"call: take another place, or insert it at the input of that module by itself"
            )
        if not args:
            raise InputError(
                f"place {self.place!r} is called with keyword arguments only, "
                f"and a transformer takes the first positional one"
            )
        image = args[0]
        if not isinstance(image, Tensor) or image.ndim not in (4, 5) or not image.is_floating_point():
            what = (
                f"one of shape {tuple(image.shape)}, {image.dtype}," if isinstance(image, Tensor) else repr(type(image))
            )
            raise InputError(
                f"a transformer takes an image, a tensor of floating point of shape (B, C, H, W) or (B, C, D, H, W), "
                f"but {what} arrives at place {self.place!r}"
            )
        return image


def _run(network: nn.Module, example: tuple[Any, ...], arrivals: list[_Arrival]) -> None:
    try:
        network(*example)
    except StnkitError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        changed = [a for a in arrivals if a.made is not None and a.shapes[0] != a.shapes[1]]
        if changed:
            before, after = changed[-1].shapes
            raise InputError(
                f"what follows place {changed[-1].place!r} does not take the transformer's output, "
                f"of shape {after} where {before} came in: {reason}"
            ) from error
        raise InputError(f"the network cannot be run on example_input: {reason}") from error
    for arrival in arrivals:
        if arrival.made is None:
            raise InputError(f"place {arrival.place!r} is not called when the network is run on example_input")


def _transformer(parts: Mapping[str, Any], in_shape: tuple[int, ...]) -> SpatialTransformer:
    family = build("transform", parts["transform"])
    if family.ndim != len(in_shape) - 1:
        name = parts["transform"] if isinstance(parts["transform"], str) else parts["transform"]["name"]
        raise InputError(
            f"transform {name!r} warps {family.ndim} dimensions, "
            f"but the images have {len(in_shape) - 1}: {list(in_shape)}"
        )
    return SpatialTransformer(
        build("localizer", parts["localizer"], in_shape=in_shape),
        family,
        build("sampler", parts["sampler"]),
        parts.get("out_size"),
        parts.get("recurrent", 1),
    )


def _working_dtype(image: Tensor, host: nn.Module) -> torch.dtype:
    """The dtype of the image, but under autocast that of the weights, which is not what is computed in."""
    weights = [p.dtype for p in host.parameters() if p.is_floating_point()]
    kind = image.device.type
    autocast = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return weights[0] if autocast and weights else image.dtype


class _Draws:
    """A context for the random numbers of new weights, apart from those of the run.

    So making transformers takes numbers, as making any module does, and running the network takes none.
    """

    def __init__(self) -> None:
        self.state = torch.get_rng_state()

    def __enter__(self) -> None:
        self._outside = torch.get_rng_state()
        torch.set_rng_state(self.state)

    def __exit__(self, *exception: object) -> None:
        self.state = torch.get_rng_state()
        torch.set_rng_state(self._outside)


@contextlib.contextmanager
def _left_as_it_was(network: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients; modes and random state are restored, whatever happens."""
    # Not by `train` and `eval`, which a network may have made its own.
    modes = {module: module.training for module in network.modules()}
    devices = {p.device for p in network.parameters() if p.device.type == "cuda"}
    try:
        # Weights that were made in inference mode could not be trained.
        with torch.random.fork_rng(devices), torch.inference_mode(False), torch.no_grad():
            for module in modes:
                module.training = False
            yield
    finally:
        for module, training in modes.items():
            module.training = training
