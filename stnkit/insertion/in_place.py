"""Modules behind a transformer that change their image in place.

A transformer gives its host a tensor of its own: what the network keeps of the image is no longer changed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from stnkit.errors import InputError, one_line
from stnkit.insertion.passes import Example, modes_and_random_state_restored, run_on, takes_positions
from stnkit.insertion.probe import Probe
from stnkit.insertion.transformed import image_name
from stnkit.listed import with_article


def check_not_read(network: nn.Module, example: Example, probes: Sequence[Probe]) -> None:
    """Raise an InputError if the network reads an image again that a host has changed in place.

    Args:
        network: whose hosts do not call their transformers yet.
        example: as `insert_transformers` takes it.
        probes: the insertion points.

    Raises:
        InputError: when the output is another one where a host changes a copy of its image, or the network runs once
            and no more.
    """
    in_place = [probe for probe in probes if probe.is_in_place]
    if not in_place:
        return
    try:
        expected = _outputs(network, example)
    except Exception as error:
        # A network for images of other shapes, as its transformers give them, has no output of before.
        if any(given != warped for given, warped in (probe.shapes for probe in probes)):
            return
        raise InputError(
            f"insertion point {in_place[0].point!r}: expected a network that runs on example_input again, since "
            f"{with_article(type(in_place[0].host).__name__)} changes its image in place, got {one_line(error)}"
        ) from error
    for probe in in_place:
        hook = probe.host.register_forward_pre_hook(_with_copy, with_kwargs=True)
        try:
            found = _outputs(network, example)
        finally:
            hook.remove()
        # A network may give something else each time.
        if not _agree(found, expected) and _agree(_outputs(network, example), expected):
            raise InputError(
                f"insertion point {probe.point!r}: expected a module that leaves its image as it is, got "
                f"{with_article(type(probe.host).__name__)} that changes it in place, and the network reads it again: "
                f"choose another point, or a module that is not in place"
            )


def _with_copy(host: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    if args:
        return (args[0].clone(), *args[1:]), kwargs
    name = str(image_name(host))
    return args, kwargs | {name: kwargs[name].clone()}


def _outputs(network: nn.Module, example: Example) -> list[Any]:
    if isinstance(example, Mapping) and not takes_positions(network):
        example = dict(example)  # of any other mapping pytree copies nothing
    with modes_and_random_state_restored(network):
        # A network may change what it is given, but for a tensor of inference mode.
        copied: Example = pytree.tree_map_only(Tensor, torch.clone, example)
        return [leaf for leaf in pytree.tree_leaves(run_on(network, copied)) if isinstance(leaf, Tensor)]


def _agree(found: list[Tensor], expected: list[Tensor]) -> bool:
    try:
        torch.testing.assert_close(found, expected, equal_nan=True)
    except AssertionError:
        return False
    return True
