"""Probe: an insertion point whose transformer is built when the first image arrives there."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stnkit.errors import InputError
from stnkit.insertion.components import make_transformers
from stnkit.insertion.points import CHILD, INPUT, LISTED, submodule_names
from stnkit.insertion.transformed import StandIn, has_node, image_name, put_in_front
from stnkit.listed import listed
from stnkit.precision import is_autocast


class RandomStream:
    """A context with a random state of its own, for the weights of new transformers.

    Building transformers then draws random numbers, as building any module does, and running the network draws none.
    """

    def __init__(self) -> None:
        self.state = torch.get_rng_state()

    def __enter__(self) -> None:
        self._outside = torch.get_rng_state()
        torch.set_rng_state(self.state)

    def __exit__(self, *exception: object) -> None:
        self.state = torch.get_rng_state()
        torch.set_rng_state(self._outside)


class Probe:
    """An insertion point whose transformer is built for the image that arrives there.

    Args:
        point: as the user named it.
        components: of its transformer.
        host: the module that the transformer stands in front of.
        network: that the host is a part of.
        stream: source of its random weights.
    """

    def __init__(
        self, point: str, components: Mapping[str, Any], host: nn.Module, network: nn.Module, stream: RandomStream
    ) -> None:
        self.point = point
        self.components = components
        self.host = host
        self.network = network
        self.stream = stream
        self.made: nn.Module | None = None
        self.shapes: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self.is_in_place = False

    def receive(
        self, host: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """A forward pre-hook with keywords: build the transformer of the insertion point and apply it."""
        name = image_name(host)
        image = self._image(name, args, kwargs)
        # On the device that the stream is of, whatever the default device is.
        with self.stream, torch.device("cpu"):
            made = make_transformers(self.point, self.components, tuple(image.shape[1:]))
        self.made = made.to(device=image.device, dtype=_working_dtype(image, host, self.network)).eval()
        self._stand_in = StandIn()
        if has_node(host):
            self._stand_in.was_called = True
        else:
            self._stand_in.register_forward_pre_hook(self._refuse_call)
        # The host may have None there, in any of them.
        places: list[dict[str, Any]] = [vars(host), host._parameters, host._buffers, host._modules]
        self._before = [(place, place.pop(CHILD)) for place in places if CHILD in place]
        host._modules[CHILD] = self._stand_in
        warped = made(image)
        self.shapes = tuple(image.shape), tuple(warped.shape)
        self._given = None if warped.is_inference() else (warped, warped._version)
        return ((warped, *args[1:]), kwargs) if args else (args, kwargs | {str(name): warped})

    def leave(self, host: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        """A forward hook: note an image that the host has changed in place."""
        if self._given is not None:
            warped, version = self._given
            self.is_in_place = warped._version != version
        self._given = None

    def settle(self) -> None:
        """Leave the call of the transformer to the host."""
        assert self.made is not None
        self.made.train(self.host.training)
        put_in_front(self.host, self.made, self._stand_in.was_called)

    def undo(self) -> None:
        """Leave the host as it was."""
        if self.made is not None:
            del self.host._modules[CHILD]
            for place, nothing in self._before:
                place[CHILD] = nothing

    def _refuse_call(self, module: nn.Module, args: Any) -> None:
        raise InputError(
            f"insertion point {self.point!r} is a module that calls all of its children, new ones too: choose "
            f"{self._inside() or 'another point'}"
        )

    def _inside(self) -> str:
        """The children of the host by their full names, for a message; "" where there is none."""
        at = submodule_names(self.network).get(self.host, "")
        names = [f"{at}.{name}".lstrip(".") for name, _ in self.host.named_children() if name != CHILD]
        return f"one of its members: {listed(names, LISTED)}" if names else ""

    def _image(self, name: str | None, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        if self.made is not None:
            name = submodule_names(self.network).get(self.host)
            itself = (
                f", or give {name!r} alone to insert_transformers, at its {INPUT!r}: in front of every call"
                if name
                else ""
            )
            raise InputError(
                f"insertion point {self.point!r} is called more than once in one pass, and a transformer stands in "
                f"front of one call: choose another point{itself}"
            )
        if not args and name not in kwargs:
            raise InputError(
                f"insertion point {self.point!r}: expected a call with its first argument, which a transformer takes, "
                f"got keywords {[*kwargs]}"
            )
        image = args[0] if args else kwargs[str(name)]
        if not isinstance(image, Tensor) or image.ndim not in (4, 5) or not image.is_floating_point():
            got = f"{tuple(image.shape)}, {image.dtype}" if isinstance(image, Tensor) else repr(type(image))
            inside = "" if isinstance(image, Tensor) else self._inside()
            raise InputError(
                f"insertion point {self.point!r}: expected an image, a floating-point tensor of shape (B, C, H, W) or "
                f"(B, C, D, H, W), got {got}{inside and f'; choose another point, such as {inside}'}"
            )
        return image


def _working_dtype(image: Tensor, host: nn.Module, network: nn.Module) -> torch.dtype:
    """The dtype of the image, but under autocast that of the weights: autocast narrows images, not weights."""
    if not is_autocast(image):
        return image.dtype
    # Those of the network where the host, such as a pooling, has none.
    weights = (p.dtype for module in (host, network) for p in module.parameters() if p.is_floating_point())
    return next(weights, torch.float32)
