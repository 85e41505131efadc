"""The stages of a forward pass behind the input: θ of the transformer there, and the straightened images; batches."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.distortions import Distortion, gives_true_theta
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.placement import input_transformer, reads_pairs
from stnkit.objectives import Batch


@dataclass
class Stages:
    """θ and the straightened images of a forward pass, with their gradients.

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


def seen_batch(
    network: nn.Module,
    images: Float[Tensor, "B C *size"],
    targets: Tensor,
    true_theta: Float[Tensor, "N Q"] | None,
    stages: Stages,
    output: Tensor,
    draws: torch.Generator,
) -> Batch:
    """A batch as an objective sees it, behind a forward pass.

    Args:
        network: that has computed the output.
        images: its input.
        targets: of the images.
        true_theta: of the distortion, where it is known.
        stages: of the forward pass.
        output: of the network.
        draws: the objective's only source of randomness.
    """
    return Batch(
        images=images,
        targets=targets,
        true_theta=true_theta,
        theta=stages.theta,
        straightened=images if stages.straightened is None else stages.straightened,
        output=output,
        network=getattr(network, "network", network),
        draws=draws,
    )


@torch.no_grad()
def observed(network: nn.Module, drawn: Distorted, distortion: Distortion, draws: torch.Generator) -> Batch:
    """The batch of distorted images behind a forward pass without gradients.

    Args:
        network: in evaluation mode.
        drawn: images on its device, with targets and θ.
        distortion: of the images.
        draws: as `seen_batch` takes it.
    """
    with recorded_stages(network) as stages:
        output = network(drawn.images)
    known = gives_true_theta(distortion, pair=reads_pairs(network))
    return seen_batch(network, drawn.images, drawn.labels, drawn.theta if known else None, stages, output, draws)
