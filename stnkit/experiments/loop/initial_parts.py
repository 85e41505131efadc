"""Parts of a network that start from parts of another one."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from stnkit.errors import InputError
from stnkit.experiments.loop.listed import listed


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
    found = {name: value for name, value in weights.items() if is_in(name, theirs)}
    mine = {name: theirs + name.removeprefix(own) for name in state if is_in(name, own)}
    for names, part, there in ((mine, own, state), (found, theirs, weights)):
        if not names:
            owner = "this network" if there is state else "the network of that run"
            raise InputError(f"init_parts: expected a part of {owner}, such as {listed(_parts(there))}, got {part!r}")
    missing = [name for name in mine.values() if name not in found]
    if missing:
        raise InputError(f"{lead}expected {theirs} with all weights of {own}, got no {listed(missing)}")
    shapes = [
        f"{name} of shape {list(found[name].shape)} instead of {list(state[to].shape)}"
        for to, name in mine.items()
        if found[name].shape != state[to].shape
    ]
    if shapes:
        raise InputError(f"{lead}expected {theirs} with the weights of {own}, got {listed(shapes)}")
    network.load_state_dict({to: found[name] for to, name in mine.items()}, strict=False)


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
