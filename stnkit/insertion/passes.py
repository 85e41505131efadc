"""Passes of a network that leave it as it was."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn


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
