"""What the loss asks of θ itself, beside that the images be classified."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from stnkit.distortions import Distortion, describes
from stnkit.errors import InputError
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.loop.theta_recorder import input_transformer
from stnkit.experiments.losses.equivariance import Delta, check_equivariance, draw_delta, equivariance_error, warped
from stnkit.experiments.losses.supervision import supervision_error
from stnkit.experiments.schema import TrainingConfig


class Seen(NamedTuple):
    """The images of a training step and their labels; with Δ the second half is the first one, warped by it."""

    images: Float[Tensor, "N C *size"]
    labels: Int64[Tensor, "N"]
    delta: Delta | None


class ThetaLoss:
    """weight · equivariance error + supervision · supervision error, each where its weight is above 0.

    Args:
        training: the weights, and the range of Δ.
        network: whose transformer at the input is meant.
        distortion: of the images.

    Raises:
        InputError: when a weight or range is out of its range, or a term is asked for that this network or
            distortion cannot have.
    """

    def __init__(self, training: TrainingConfig, network: nn.Module, distortion: Distortion | None) -> None:
        check_equivariance(training.equivariance)
        if not 0 <= training.supervision < float("inf"):
            raise InputError(f"training.supervision must be 0 or more, but {training.supervision} was given")
        self.equivariance = training.equivariance
        weights = {"equivariance": training.equivariance.weight, "supervision": training.supervision}
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        self.transformer = input_transformer(network)
        self.distortion = distortion
        for name in self.weights:
            if self.transformer is None:
                raise InputError(f"training.{name} needs one spatial transformer at the input, and there is none")
        if "equivariance" in self.weights and self._ndim != 2:
            raise InputError(
                f"training.equivariance warps images of 2 dimensions, but the transformer is of {self._ndim}"
            )
        if "supervision" in self.weights and (distortion is None or not describes(distortion, self._ndim)):
            raise InputError(
                f"training.supervision needs a distortion whose theta is one map of {self._ndim} dimensions for all "
                f"channels"
            )

    @property
    def _ndim(self) -> int:
        assert self.transformer is not None
        return self.transformer.family.ndim

    def see(self, batch: Distorted, draws: torch.Generator) -> Seen:
        """The batch, and with an equivariance term each of its images once more, warped by a random Δ.

        Args:
            batch: distorted images.
            draws: of the CPU, for Δ.
        """
        if "equivariance" not in self.weights:
            return Seen(batch.images, batch.labels, None)
        assert self.transformer is not None
        images = batch.images
        delta = draw_delta(len(images), self.equivariance, tuple(images.shape[2:]), draws, images.device)
        both = torch.cat([images, warped(images, delta, self.transformer.sampler)])
        return Seen(both, torch.cat([batch.labels, batch.labels]), delta)

    @contextlib.contextmanager
    def thetas(self) -> Iterator[list[Tensor]]:
        """Within it, every θ of the transformer is added to a list, with its gradient."""
        kept: list[Tensor] = []
        if not self.weights:
            yield kept
            return
        assert self.transformer is not None
        handle = self.transformer.theta_probe.register_forward_hook(lambda _module, _inputs, theta: kept.append(theta))
        try:
            yield kept
        finally:
            handle.remove()

    def errors(self, batch: Distorted, delta: Delta | None, thetas: list[Tensor]) -> dict[str, Tensor]:
        """Each term without its weight.

        Args:
            batch: distorted images, without those that Δ warped.
            delta: of `see`.
            thetas: of `thetas`, from one forward pass over what was seen.
        """
        if not self.weights:
            return {}
        assert self.transformer is not None
        family, (theta,) = self.transformer.family, thetas
        errors = {}
        if delta is not None:
            first, second = theta.chunk(2)
            errors["equivariance"] = equivariance_error(family, first, second, delta)
            theta = first
        if "supervision" in self.weights:
            assert self.distortion is not None
            errors["supervision"] = supervision_error(family, theta, self.distortion.family, batch.theta)
        return errors
