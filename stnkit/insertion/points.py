"""Places: where in a network a transformer may stand, by the names of its submodules."""

import difflib

import torch
from torch import nn

from stnkit.errors import InputError

INPUT = "input"
# The name under which a transformer is a child of the module that it stands in front of.
CHILD = "spatial_transformer"
# How many names an error lists.
LISTED = 20


def submodule_name(network: nn.Module, place: str) -> str:
    """The full dotted name of a submodule: the place itself, or the only name that ends in `.place`.

    Args:
        network: whose submodule it is.
        place: as a user gives it.

    Raises:
        InputError: when no name ends so or several do; lists the names there are, the nearest first.
    """
    # A submodule may have several names; those inside of an inserted transformer are no places.
    modules = network.named_modules(remove_duplicate=False)
    names = [name for name, _ in modules if name and CHILD not in name.split(".")]
    if place in names:
        return place
    ending = [name for name in names if name.endswith(f".{place}")]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise InputError(f"place {place!r} is the end of {len(ending)} names, give one in full: {_listed(ending)}")
    # Close to the whole of a name, or to its end.
    close = difflib.get_close_matches(place, {part for name in names for part in (name, name.rpartition(".")[2])}, n=5)
    near = [name for name in names if name in close or name.rpartition(".")[2] in close]
    nearest_first = list(dict.fromkeys([*near[: LISTED // 2], INPUT, *names]))
    raise InputError(f"there is no place {place!r} in the network; the places are: {_listed(nearest_first)}")


def host_of(network: nn.Module, place: str) -> nn.Module:
    """The module in front of which a transformer of that place stands, and whose child it becomes.

    A Sequential calls all of its children, so it is its first one.

    Args:
        network: into which it is inserted.
        place: `input`, or the name of a submodule.

    Raises:
        InputError: when there is no such place, or it is or lies in a module that cannot have a transformer.
    """
    name = "" if place == INPUT else submodule_name(network, place)
    module = network
    _check_wrapper(module)
    for part in name.split(".") if name else []:
        module = getattr(module, part)
        _check_wrapper(module)
    while isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        children = [(".".join(filter(None, (name, key))), child) for key, child in module.named_children()]
        forward = type(module).forward
        if forward is not nn.Sequential.forward:
            what = "never called itself" if forward is nn.Module.forward else "called by a forward of its own"
            raise InputError(
                f"place {place!r} is a {type(module).__name__}, a container that is {what}; "
                f"take one of its members: {_listed([key for key, _ in children])}"
            )
        if not children:
            raise InputError(f"place {place!r} is an empty Sequential, which nothing can stand in front of")
        name, module = children[0]
    return module


def _check_wrapper(module: nn.Module) -> None:
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel, torch.jit.ScriptModule)
    # What is compiled is seen by what it has, so that the compiler is not imported for it.
    if isinstance(module, wrappers) or hasattr(module, "_orig_mod"):
        raise InputError(
            f"transformers cannot be inserted into a {type(module).__name__}: "
            f"insert them into the module that it was made from, then wrap, script or compile that"
        )


def _listed(names: list[str]) -> str:
    more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
