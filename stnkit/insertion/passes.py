"""Passes of a network that leave it as it was."""

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

Example = Tensor | tuple[Any, ...] | Mapping[str, Any]


def run_on(network: nn.Module, example: Example) -> Any:
    """The output of a network.

    Args:
        network: any module.
        example: its argument, a tuple of all of them, or a mapping of those of a network that takes none by position.
    """
    if isinstance(example, Mapping) and not takes_positions(network):
        return network(**example)
    return network(*example) if isinstance(example, tuple) else network(example)


def takes_positions(network: nn.Module) -> bool:
    """True if a network takes an argument by position.

    Args:
        network: any module.
    """
    try:
        parameters = inspect.signature(network.forward).parameters.values()
    except (TypeError, ValueError):  # of a function that is not Python's
        return True
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    return any(parameter.kind not in named for parameter in parameters)


@contextlib.contextmanager
def modes_and_random_state_restored(network: nn.Module) -> Iterator[None]:
    """A context with evaluation mode and no gradients; modes and random state are restored in any case.

    Args:
        network: any module.
    """
    # Not by `train` and `eval`, which a network may override.
    modes = {module: module.training for module in network.modules()}
    devices = {p.device for p in network.parameters() if p.device.type == "cuda"}
    try:
        # Weights made in inference mode could not be trained.
        with torch.random.fork_rng(devices), torch.inference_mode(False), torch.no_grad():
            for module in modes:
                module.training = False
            yield
    finally:
        for module, training in modes.items():
            module.training = training
