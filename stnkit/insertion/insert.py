"""`stnkit.insert_transformers`: spatial transformers in front of any modules of any network."""

import contextlib
import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import nn

from stnkit.errors import InputError, StnkitError, one_line
from stnkit.insertion.components import check_components
from stnkit.insertion.in_place import check_not_read
from stnkit.insertion.passes import Example, modes_and_random_state_restored, run_on
from stnkit.insertion.points import CHILD, host_of
from stnkit.insertion.probe import Probe, RandomStream
from stnkit.insertion.transformed import check_host
from stnkit.renaming import renamed_parameter

NetworkT = TypeVar("NetworkT", bound=nn.Module)


@renamed_parameter("places", "points")
def insert_transformers(network: NetworkT, points: Mapping[str, Mapping[str, Any]], example_input: Example) -> NetworkT:
    """The network with spatial transformers in it: at first its output is the same as before.

    A transform that is a chart changes the output from the start: the module behind it sees the image in the
    coordinates of the chart. So does `transform_init`.

    The network is changed in place. Each transformer becomes a child `spatial_transformer` of the module that it
    stands in front of, on the device and in the dtype of the image there; all other names stay what they were.
    The class of that module becomes a subclass that calls the transformer; whatever replaces its `forward` later
    replaces that too. `del host.spatial_transformer` takes the transformer away and gives the module
    its class back; a `GraphModule` cannot be called then until another one is inserted.
    The network is run on the example, in evaluation mode and without gradients: once, and again where a module behind
    a transformer changes its image in place. Each transformer is built for the image that arrives at its insertion
    point. After an error the network is as it was.

    Args:
        network: any module.
        points: for each insertion point (`input`, or the name of a submodule: in full, or its end if no other name
            ends so) the components transform, localizer and sampler, each a name or a mapping
            `{"name": ..., option: value}`, and optionally `out_size` (the size of the output), `parallel` (number of
            parallel transformers; outputs are concatenated along the channels, and the next module must accept
            them), `recurrent` and `transform_init` (number of steps of the localizer and the θ to start from, see
            `SpatialTransformer`; of parallel transformers one for all, or a list with one for each).
        example_input: the argument of the network, an image (B, C, *size), or a tuple of all its arguments; for a
            network whose arguments are all by keyword, a mapping of them.

    Returns:
        The network that was given.

    Raises:
        InputError: when there is no such insertion point, it is not called exactly once in a pass with an image
            (B, C, *size), it has a transformer already, a component cannot be built for it, or the next module does
            not accept the output, or changes it in place where the network reads it again.

    Example:
        >>> import torch, stnkit
        >>> network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 10))
        >>> image, components = torch.rand(2, 1, 8, 8), {"transform": "affine", "sampler": "bilinear"}
        >>> before = network(image)
        >>> components["localizer"] = "fully_connected"
        >>> network = stnkit.insert_transformers(network, {"input": components}, image)
        >>> torch.allclose(network(image), before, atol=1e-5)
        True
    """
    if not isinstance(points, Mapping) or not all(isinstance(point, str) for point in points):
        got = f"keys {[*points]}" if isinstance(points, Mapping) else repr(points)
        raise InputError(f"points: expected a mapping of names of insertion points to components, got {got}")
    stream = RandomStream()
    probes: list[Probe] = []
    for point, components in points.items():
        check_components(point, components)
        host = host_of(network, point)
        for other in probes:
            if other.host is host:
                raise InputError(f"insertion points {other.point!r} and {point!r} are the same: in front of one module")
        if _has_child(host):
            raise InputError(f"there is a {CHILD} at insertion point {point!r} already")
        check_host(host)
        probes.append(Probe(point, components, host, network, stream))
    if not probes:
        return network
    try:
        with modes_and_random_state_restored(network), contextlib.ExitStack() as hooks:
            for probe in probes:
                hooks.callback(probe.host.register_forward_pre_hook(probe.receive, with_kwargs=True).remove)
                hooks.callback(probe.host.register_forward_hook(probe.leave).remove)
            _run(network, example_input, probes)
        check_not_read(network, example_input, probes)
    except BaseException:
        for probe in probes:
            probe.undo()
        raise
    torch.set_rng_state(stream.state)
    for probe in probes:
        probe.settle()
    return network


def _has_child(host: nn.Module) -> bool:
    # Not by `getattr`: a wrapper may hand on the attributes of a child of its own.
    held = [place.get(CHILD) for place in (host._modules, host._parameters, host._buffers)]
    return any(each is not None for each in (*held, inspect.getattr_static(host, CHILD, None)))


def _run(network: nn.Module, example: Example, probes: list[Probe]) -> None:
    try:
        run_on(network, example)
    except StnkitError:
        raise
    except Exception as error:
        changed = [p for p in probes if p.made is not None and p.shapes[0] != p.shapes[1]]
        if changed:
            before, after = changed[-1].shapes
            raise InputError(
                f"the module behind insertion point {changed[-1].point!r} does not accept the transformer's output "
                f"of shape {after}, where {before} came in: {one_line(error)}"
            ) from error
        raise InputError(f"the network cannot be run on example_input: {one_line(error)}") from error
    for probe in probes:
        if probe.made is None:
            raise InputError(f"insertion point {probe.point!r} is not called when the network runs on example_input")
