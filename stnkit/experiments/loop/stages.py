"""The stages of a forward pass behind the input: θ of the transformer there, and the straightened images."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from stnkit.experiments.placement import input_transformer


@dataclass
class Stages:
    """What a forward pass has computed, with its gradients.

    Args:
        theta: of the transformer at the input; None if there is none, or several in parallel.
        straightened: the output of the transformers at the input; None if there are none.
    """

    theta: Tensor | None = None
    straightened: Tensor | None = None


@contextlib.contextmanager
def recorded_stages(network: nn.Module) -> Iterator[Stages]:
    """The stages of the forward passes in the context, the last one's in the end.

    Args:
        network: such as a TransformedNetwork, whose attribute `transformer` stands at the input.
    """
    stages = Stages()

    def record_theta(module: nn.Module, inputs: Any, theta: Tensor) -> None:
        stages.theta = theta

    def record_output(module: nn.Module, inputs: Any, output: Tensor) -> None:
        stages.straightened = output

    with contextlib.ExitStack() as hooks:
        if (single := input_transformer(network)) is not None:
            hooks.callback(single.theta_probe.register_forward_hook(record_theta).remove)
        if isinstance(at_input := getattr(network, "transformer", None), nn.Module):
            hooks.callback(at_input.register_forward_hook(record_output).remove)
        yield stages
