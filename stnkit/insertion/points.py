"""Insertion points of a network, by the names of its submodules."""

import difflib

import torch
from torch import nn

from stnkit.errors import InputError
from stnkit.listed import listed, with_article

INPUT = "input"
# The name of a transformer as a child of the module that it stands in front of.
CHILD = "spatial_transformer"
# Number of names that a message lists.
LISTED = 20


def submodule_name(network: nn.Module, point: str) -> str:
    """The full dotted name of a submodule: the point itself, or the only name that ends in `.point`.

    In a network that only wraps another one, such as `network=timm`, it may be the full name there: of
    `model.conv1` and `model.layer1.0.conv1`, `conv1` names the first.

    Args:
        network: whose submodule it is.
        point: as a user gives it.

    Raises:
        InputError: when no name ends so or several do; lists the names there are, the nearest and the outermost first.
    """
    # A submodule may have several names; those inside of an inserted transformer are no insertion points.
    modules = network.named_modules(remove_duplicate=False)
    names = [name for name, _ in modules if name and CHILD not in name.split(".")]
    names.sort(key=lambda name: name.count("."))  # the outermost first, since a list of deep ones is cut short
    if point in names:
        return point
    children = [name for name, _ in network.named_children() if name != CHILD]
    if len(children) == 1 and f"{children[0]}.{point}" in names:
        return f"{children[0]}.{point}"
    ending = [name for name in names if name.endswith(f".{point}")]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise InputError(
            f"insertion point {point!r} is the end of {len(ending)} names, give one in full: {listed(ending, LISTED)}"
        )
    # Close to a whole name, or to its end.
    close = difflib.get_close_matches(point, {part for name in names for part in (name, name.rpartition(".")[2])}, n=5)
    near = [name for name in names if name in close or name.rpartition(".")[2] in close]
    nearest_first = list(dict.fromkeys([*near[: LISTED // 2], INPUT, *names]))
    raise InputError(
        f"there is no insertion point {point!r} in the network; the insertion points are: "
        f"{listed(nearest_first, LISTED)}"
    )


def submodule_names(network: nn.Module) -> dict[nn.Module, str]:
    """The full dotted name of each submodule, of a shared one the first; that of the network is "".

    Args:
        network: whose submodules they are.
    """
    return {module: name for name, module in network.named_modules()}


def host_of(network: nn.Module, point: str) -> nn.Module:
    """The module in front of which a transformer of that insertion point stands, and whose child it becomes.

    For a Sequential, which calls all of its children, it is the first of them.

    Args:
        network: the network.
        point: `input`, or the name of a submodule.

    Raises:
        InputError: when there is no such point, or it is or lies in a module that cannot have a transformer.
    """
    name = "" if point == INPUT else submodule_name(network, point)
    module = network
    _check_wrapper(module)
    for part in name.split(".") if name else []:
        module = getattr(module, part)
        _check_wrapper(module)
    while isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        children = [(".".join(filter(None, (name, key))), child) for key, child in module.named_children()]
        members = listed([key for key, _ in children], LISTED)
        forward = type(module).forward
        if forward is not nn.Sequential.forward:
            what = "never called itself" if forward is nn.Module.forward else "called by a forward of its own"
            raise InputError(
                f"insertion point {point!r} is {with_article(type(module).__name__)}, a container that is {what}; "
                f"choose one of its members that is called with an image: {members}"
            )
        if not children:
            raise InputError(f"insertion point {point!r} is an empty Sequential, which nothing can stand in front of")
        name, module = children[0]
    return module


def _check_wrapper(module: nn.Module) -> None:
    wrappers = (nn.DataParallel, nn.parallel.DistributedDataParallel, torch.jit.ScriptModule)
    # A compiled module is recognized by its child, so that the compiler need not be imported.
    if isinstance(module, wrappers) or "_orig_mod" in module._modules:
        raise InputError(
            f"transformers cannot be inserted into {with_article(type(module).__name__)}: "
            f"insert them into the module that it was made from, then wrap, trace or compile that"
        )
