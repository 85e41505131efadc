"""Auxiliary losses on θ: equivariance, common pose and supervision, each with its weight."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from stnkit.distortions import Distortion, describes
from stnkit.errors import InputError, PluginError
from stnkit.experiments.data.loaders import Distorted
from stnkit.experiments.losses.common_pose import common_pose_error
from stnkit.experiments.losses.equivariance import Delta, Drawn, draw_delta, equivariance_error, warped
from stnkit.experiments.losses.supervision import supervision_error
from stnkit.experiments.placement import input_described, input_transformer, reads_pairs
from stnkit.experiments.schema import EquivarianceConfig, TrainingConfig

# The default weights of the equivariance loss and of the common pose (docs/theta.md).
WEIGHT = 10.0
COMMON_POSE = 3.0


class WarpedBatch(NamedTuple):
    """The images of a batch warped by Δ, as the transformer sees them.

    Args:
        delta: one for each image.
        theta: θ of the warped images; None where the whole network sees them behind the images themselves.
    """

    delta: Delta
    theta: Float[Tensor, "B P"] | None


class TrainingImages(NamedTuple):
    """The images that the network sees in a training step, and their targets.

    Args:
        images: of the batch; with `equivariance.augment` followed by the same warped by Δ.
        labels: of the images.
        warped: for the equivariance loss.
        theta_again: θ of the same originals, distorted anew, for the common pose.
    """

    images: Float[Tensor, "N C *size"]
    labels: Shaped[Tensor, "N *target"]
    warped: WarpedBatch | None
    theta_again: Float[Tensor, "B P"] | None = None


class ThetaLoss:
    """The weighted errors of equivariance, common pose and supervision, each where its weight is above 0.

    Args:
        training: the weights, and the range of Δ.
        network: with a single transformer at the input, where a weight is above 0.
        distortion: of the images.
        is_drawn: True if an original is another image under a second draw; asked where a common pose depends on it.

    Raises:
        InputError: when the network or the distortion does not allow a loss whose weight is above 0.
    """

    def __init__(
        self,
        training: TrainingConfig,
        network: nn.Module,
        distortion: Distortion | None,
        is_drawn: Callable[[], bool] = lambda: True,
    ) -> None:
        self.equivariance = training.equivariance
        self.transformer = input_transformer(network)
        self.distortion = distortion
        self._is_drawn = is_drawn
        given = training.equivariance
        ranged = any(value is not None for value in (given.degrees, given.scale, given.shift))
        milder = None if distortion is None else _milder(distortion)
        # A range in the config takes precedence.
        self.milder = None if ranged else milder
        weight = self._equivariance_weight(training, has_milder=milder is not None)
        common_pose = training.equivariance.common_pose
        if common_pose is None:
            common_pose = COMMON_POSE if weight > 0 and self.milder is not None and is_drawn() else 0.0
        weights = {"equivariance": weight, "common_pose": common_pose, "supervision": training.supervision}
        self.weights = {name: weight for name, weight in weights.items() if weight > 0}
        pairs = reads_pairs(network)
        for name in self.weights:
            option = "equivariance.common_pose" if name == "common_pose" else name
            if self.transformer is None:
                raise InputError(
                    f"training.{option}: expected one spatial transformer at the input, got {input_described(network)}"
                )
            # The distortion moves both images of a pair alike, or gives their map itself: nothing is to be undone.
            if pairs:
                raise InputError(f"training.{option}: expected single images, got pairs")
        if "equivariance" in self.weights and self._ndim != 2:
            raise InputError(f"training.equivariance: expected a transformer of 2 dimensions, got {self._ndim}")
        if "supervision" in self.weights and (distortion is None or not describes(distortion, self._ndim)):
            raise InputError(
                f"training.supervision: expected a distortion whose theta is one map of {self._ndim} dimensions for "
                f"all channels, got {'none' if distortion is None else type(distortion).__name__}"
            )

    def _equivariance_weight(self, training: TrainingConfig, *, has_milder: bool) -> float:
        """The weight of the config, or the default where the loss fits distortion, network and supervision."""
        weight, transformer = training.equivariance.weight, self.transformer
        if weight is not None:
            return weight
        fits = transformer is not None and transformer.sampled_channels is None and transformer.family.ndim == 2
        # A transformer that is told the truth needs no other sign of it.
        return WEIGHT if fits and has_milder and training.supervision == 0 else 0.0

    def check_used(self) -> None:
        """Refuse a common pose of two images that are the same, and options of Δ where the loss is off by default.

        With one image for both, the covariance of the maps is their variance, which shrinks them. The equivariance loss
        is off by default where the distortion has no milder one. Networks without a transformer, and those that are
        told the true θ, take its options: they stand beside others in a sweep, and so does a weight of 0 that is given.

        Raises:
            InputError: for an option that has no effect, or not the one that it is meant for.
        """
        if self.equivariance.common_pose and self.reads_again and not self._is_drawn():
            raise InputError(
                f"training.equivariance.common_pose: expected 0 or null for {type(self.distortion).__name__}, which "
                f"draws the same image every time, got {self.equivariance.common_pose}"
            )
        given, defaults = self.equivariance, EquivarianceConfig()
        used = self.weights.keys() & {"equivariance", "supervision"}
        if used or given.weight is not None or self.transformer is None:
            return
        for option in ("degrees", "scale", "shift", "augment"):
            if (value := getattr(given, option)) != (default := getattr(defaults, option)):
                expected = "null" if default is None else str(default).lower()
                raise InputError(
                    f"training.equivariance.{option}: expected {expected}, since training.equivariance.weight is 0 by "
                    f"default here, got {str(value).lower()}"
                )

    @property
    def reads_again(self) -> bool:
        """True if it needs every original of a batch under a second draw of its distortion."""
        return "common_pose" in self.weights

    @property
    def doubles(self) -> bool:
        """True if the network sees every batch together with its images warped by Δ."""
        return "equivariance" in self.weights and self.equivariance.augment

    @property
    def _ndim(self) -> int:
        assert self.transformer is not None
        return self.transformer.family.ndim

    def _delta(self, batch: Distorted, draws: torch.Generator) -> Delta:
        """Δ of each image, drawn for the whole batch, so that several processes draw what one does."""
        size, device = tuple(batch.images.shape[2:]), batch.images.device
        first, n = (0, len(batch.images)) if batch.place is None else batch.place
        own = slice(first, first + len(batch.images))
        if self.milder is None:
            return draw_delta(n, self.equivariance, size, draws, device).of(own)
        return Drawn(self.milder.family, self.milder.sample(n, draws)[own].to(device))

    def augment(self, batch: Distorted, draws: torch.Generator) -> TrainingImages:
        """The batch, and for the equivariance loss its images warped by a random Δ.

        Args:
            batch: distorted images.
            draws: of the CPU, for Δ.
        """
        # In front of the pass of the images themselves, so that the θ recorded last is theirs.
        theta_again = self._localized(batch.again) if self.reads_again else None
        if "equivariance" not in self.weights:
            return TrainingImages(batch.images, batch.labels, None, theta_again)
        assert self.transformer is not None
        images = batch.images
        delta = self._delta(batch, draws)
        again = warped(images, delta, self.transformer.sampler)
        if not self.doubles:
            return TrainingImages(images, batch.labels, WarpedBatch(delta, self._localized(again)), theta_again)
        both, labels = torch.cat([images, again]), torch.cat([batch.labels, batch.labels])
        return TrainingImages(both, labels, WarpedBatch(delta, None), theta_again)

    def _localized(self, images: Tensor | None) -> Float[Tensor, "B P"]:
        """θ of images that the localizer alone sees."""
        assert self.transformer is not None
        assert images is not None
        theta: Tensor = self.transformer.localize(images)
        return theta

    def errors(self, batch: Distorted, seen: TrainingImages, theta: Tensor | None) -> dict[str, Tensor]:
        """Each loss by its name, without its weight.

        Args:
            batch: the distorted images, without those warped by Δ.
            seen: as `augment` returned it.
            theta: of the transformer in a forward pass of the images from `augment`, with its gradient.
        """
        if not self.weights:
            return {}
        assert self.transformer is not None
        assert theta is not None
        family = self.transformer.family
        errors = {}
        if seen.warped is not None:
            delta, again = seen.warped
            if again is None:
                theta, again = theta.chunk(2)
            errors["equivariance"] = _or_nan(equivariance_error(family, theta, again, delta), again)
        if seen.theta_again is not None:
            error = common_pose_error(family, theta, seen.theta_again, batch.weight)
            errors["common_pose"] = _or_nan(error, seen.theta_again)
        if "supervision" in self.weights:
            assert self.distortion is not None
            errors["supervision"] = supervision_error(family, theta, self.distortion.family, batch.theta)
        return errors


def _or_nan(error: Float[Tensor, ""], theta: Tensor) -> Float[Tensor, ""]:
    """The error, or NaN if θ has diverged: the points of the error are clamped, and would hide it."""
    return torch.where(torch.isfinite(theta).all(), error, torch.nan)


def _milder(distortion: Distortion) -> Distortion | None:
    """Δ of a distortion.

    Raises:
        PluginError: when it is no distortion of the same images that θ describes.
    """
    milder, name = distortion.milder(), type(distortion).__name__
    if milder is None:
        return None
    if not isinstance(milder, Distortion):
        raise PluginError(f"{name}.milder(): expected a Distortion or None, got {type(milder).__name__}")
    ndim, size = len(distortion.out_size), list(distortion.out_size)
    if not describes(milder, ndim) or list(milder.out_size) != size:
        raise PluginError(
            f"{name}.milder(): expected one map for images of {size}, got {type(milder).__name__} of "
            f"{list(milder.out_size)}"
        )
    return milder
