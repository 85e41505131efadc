"""Parts of a network that start from parts of another one."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from stnkit.errors import InputError
from stnkit.listed import listed


def checked_parts(parts: object) -> Mapping[str, str]:
    """The parts of a network that start from parts of another one, checked.

    Args:
        parts: as a config names them.

    Raises:
        InputError: unless they are names of parts by names of parts, at least one.
    """
    if isinstance(parts, Mapping) and parts and all(isinstance(name, str) for pair in parts.items() for name in pair):
        return parts
    raise InputError(
        "init_parts: expected parts of this network by those of the other one, such as {network:network}, got "
        f"{parts}"
    )


def load_part(network: nn.Module, own: str, weights: Mapping[str, Any], theirs: str, lead: str) -> None:
    """Give a part of a network the weights of a part of another one, which may have more.

    Args:
        network: that learns.
        own: name of the part of it.
        weights: of the other network, by name.
        theirs: name of the part of that.
        lead: of messages about the weights.

    Raises:
        InputError: when there is no such part, or the weights are not all there or of other shapes.
    """
    state = network.state_dict()
    mine = [name for name in state if is_in(name, own)]
    found = {own + name.removeprefix(theirs): value for name, value in weights.items() if is_in(name, theirs)}
    for names, part, there in ((mine, own, state), (found, theirs, weights)):
        if not names:
            owner = "this network" if there is state else "the network of that run"
            raise InputError(f"init_parts: expected a part of {owner}, such as {listed(_parts(there))}, got {part!r}")
    if missing := [name for name in mine if name not in found]:
        raise InputError(f"{lead}expected {theirs} with all weights of {own}, got none for {listed(missing)}")
    if shapes := other_shapes(state, found):
        raise InputError(f"{lead}expected {theirs} with the weights of {own}, got {listed(shapes)}")
    network.load_state_dict({name: found[name] for name in mine}, strict=False)


def other_shapes(own: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """The weights of another network that have other shapes than those of the same names, in words.

    Args:
        own: weights by name.
        theirs: those of the other network.
    """
    return [
        f"{name} of shape {list(theirs[name].shape)} instead of {list(value.shape)}"
        for name, value in own.items()
        if name in theirs and theirs[name].shape != value.shape
    ]


def is_in(name: str, part: str) -> bool:
    """True for the name of a part, or of what is inside of it.

    Args:
        name: of a module or of weights.
        part: name of a module.
    """
    return name.startswith(f"{part}.") or name == part


def _parts(state: Mapping[str, Any]) -> list[str]:
    """The first parts of a network, by the names of its weights."""
    return list(dict.fromkeys(name.split(".")[0] for name in state))
