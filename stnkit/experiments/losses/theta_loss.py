"""Auxiliary losses on θ: equivariance and supervision, each with its weight."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from stnkit.distortions import Distortion, describes
from stnkit.errors import InputError
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.losses.equivariance import Delta, draw_delta, equivariance_error, warped
from stnkit.experiments.losses.supervision import supervision_error
from stnkit.experiments.placement import input_transformer
from stnkit.experiments.schema import TrainingConfig


class TrainingImages(NamedTuple):
    """The images of a training step and their targets; with Δ, the second half is the first half warped by Δ."""

    images: Float[Tensor, "N C *size"]
    labels: Shaped[Tensor, "N *target"]
    delta: Delta | None


class ThetaLoss:
    """weight · equivariance error + supervision · supervision error, each where its weight is above 0.

    Args:
        training: the weights, and the range of Δ.
        network: with a single transformer at the input, where a weight is above 0.
        distortion: of the images.

    Raises:
        InputError: when the network or the distortion does not allow a loss whose weight is above 0.
    """

    def __init__(self, training: TrainingConfig, network: nn.Module, distortion: Distortion | None) -> None:
        self.equivariance = training.equivariance
        weights = {"equivariance": training.equivariance.weight, "supervision": training.supervision}
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.transformer = input_transformer(network)
        self.distortion = distortion
        for name in self.weights:
            if self.transformer is None:
                raise InputError(f"training.{name}: expected one spatial transformer at the input, got none")
        if "equivariance" in self.weights and self.transformer and self.transformer.sampled_channels is not None:
            raise InputError("training.equivariance: expected single images, got pairs")
        if "equivariance" in self.weights and self._ndim != 2:
            raise InputError(f"training.equivariance: expected a transformer of 2 dimensions, got {self._ndim}")
        if "supervision" in self.weights and (distortion is None or not describes(distortion, self._ndim)):
            raise InputError(
                f"training.supervision: expected a distortion whose theta is one map of {self._ndim} dimensions for "
                f"all channels, got {'none' if distortion is None else type(distortion).__name__}"
            )

    @property
    def _ndim(self) -> int:
        assert self.transformer is not None
        return self.transformer.family.ndim

    def augment(self, batch: Distorted, draws: torch.Generator) -> TrainingImages:
        """The batch; for the equivariance loss, followed by its images warped by a random Δ.

        Args:
            batch: distorted images.
            draws: of the CPU, for Δ.
        """
        if "equivariance" not in self.weights:
            return TrainingImages(batch.images, batch.labels, None)
        assert self.transformer is not None
        images = batch.images
        delta = draw_delta(len(images), self.equivariance, tuple(images.shape[2:]), draws, images.device)
        both = torch.cat([images, warped(images, delta, self.transformer.sampler)])
        return TrainingImages(both, torch.cat([batch.labels, batch.labels]), delta)

    def errors(self, batch: Distorted, delta: Delta | None, theta: Tensor | None) -> dict[str, Tensor]:
        """Each loss by its name, without its weight.

        Args:
            batch: the distorted images, without those warped by Δ.
            delta: as `augment` returned it.
            theta: of the transformer in a forward pass of the images from `augment`, with its gradient.
        """
        if not self.weights:
            return {}
        assert self.transformer is not None
        assert theta is not None
        family = self.transformer.family
        errors = {}
        if delta is not None:
            first, second = theta.chunk(2)
            errors["equivariance"] = equivariance_error(family, first, second, delta)
            theta = first
        if "supervision" in self.weights:
            assert self.distortion is not None
            errors["supervision"] = supervision_error(family, theta, self.distortion.family, batch.theta)
        return errors
