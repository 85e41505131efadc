"""The spatial transformers of a network, by where they stand."""

from torch import nn

from stnkit.insertion.points import CHILD, INPUT
from stnkit.transformer import ParallelTransformers, SpatialTransformer


def find_transformers(network: nn.Module) -> dict[str, SpatialTransformer]:
    """Every SpatialTransformer of a network by its insertion point: one in front of a module before those inside of it.

    The insertion point is the name of the module in front of which a transformer was inserted; for any other
    transformer it is the transformer's own name, and for the network itself `input`. Parallel transformers are
    numbered from 1.

    Args:
        network: any module.

    Example:
        >>> import stnkit, torch
        >>> from stnkit.insertion import find_transformers
        >>> network = torch.nn.ModuleDict({"conv": torch.nn.Conv2d(1, 2, 3)})
        >>> network.forward = lambda image: network["conv"](image)
        >>> components = {"transform": "affine", "localizer": "fully_connected", "sampler": "bilinear"}
        >>> _ = stnkit.insert_transformers(network, {"conv": components}, torch.zeros(1, 1, 8, 8))
        >>> list(find_transformers(network))
        ['conv']
    """
    found: dict[str, SpatialTransformer] = {}
    parallel: dict[nn.Module, str] = {}
    modules = [*network.named_modules()]
    order = {name: index for index, (name, _) in enumerate(modules)}
    # A module's own transformer is its last child.
    modules.sort(key=lambda entry: order[_host(entry[0])])
    for name, module in modules:
        if isinstance(module, ParallelTransformers):
            parallel |= {each: f"{_point(name)} {number}" for number, each in enumerate(module.transformers, start=1)}
        elif isinstance(module, SpatialTransformer):
            point = parallel.get(module, _point(name))
            # Where a transformer stands in front of another one, the inner one has its full name.
            found[name if point in found else point] = module
    return found


def _host(name: str) -> str:
    """The name of the module in front of which a transformer or a part of it stands, or the name itself."""
    parts = name.split(".")
    return ".".join(parts[: parts.index(CHILD)]) if CHILD in parts else name


def _point(name: str) -> str:
    host, _, last = name.rpartition(".")
    return (host if last == CHILD else name) or INPUT
