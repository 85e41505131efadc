"""Rectifier: the transformer of a trained run, applied to images of any size at their full resolution."""

import math
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from stnkit.errors import InputError
from stnkit.experiments.data.data_module import DistortedData
from stnkit.experiments.loop.stages import recorded_stages
from stnkit.experiments.placement import TransformedNetwork
from stnkit.experiments.rectification.frame import Frame
from stnkit.experiments.rectification.maps import ImageMap, image_map
from stnkit.experiments.rectification.trained_values import TrainedValues
from stnkit.experiments.rectification.view import View
from stnkit.experiments.rectification.warped_pixels import warped_pixels
from stnkit.files.arrays import ArrayLayout
from stnkit.objectives import Objective
from stnkit.plugin_system import build
from stnkit.samplers.padding import Padding
from stnkit.transformer import SpatialTransformer

LARGEST_SIDE = 65_535


class Located(NamedTuple):
    """The findings of the network in an image.

    Attributes:
        theta: of each of the transformers at the input, one row each.
        prediction: the label of the likeliest class; None without a classifier.
        score: its probability, 0 to 1.
    """

    theta: Float[Tensor, "transformers P"]
    prediction: int | None = None
    score: float | None = None


class Rectifier:
    """Images ↦ θ and the images through T_θ, at any size.

    Args:
        network: trained, with a transformer at the input that warps single images.
        objective: of its run.
        data: of its run.
        config: of its run, as plain values.
        sampler: a name, or a mapping with options; None for the run's.
        padding: of the sampler; None for the sampler's own.
        values: of the training images; None where they are not known.

    Raises:
        InputError: when the run has no such transformer, or the sampler or its padding does not exist.
    """

    def __init__(
        self,
        network: TransformedNetwork,
        objective: Objective,
        data: DistortedData,
        config: Mapping[str, Any],
        *,
        sampler: str | Mapping[str, Any] | None = None,
        padding: str | None = None,
        values: TrainedValues | None = None,
    ) -> None:
        self.network = network
        at_input = network.transformer
        if at_input is None:
            points = list(config["placement"]["at"])
            raise InputError(f"expected a run with a transformer at the input, got placement.at={points}")
        self.transformers: list[SpatialTransformer] = (
            [at_input] if isinstance(at_input, SpatialTransformer) else [*at_input.transformers]
        )
        if self.transformers[0].sampled_channels is not None:
            raise InputError("expected a run that rectifies single images, got one that registers pairs of them")
        self.view = View.of_dataset(data.dataset, data.in_shape, data.dtype, values)
        self.samplers = [_sampler(config, each, sampler, padding) for each in self.transformers]
        layout = getattr(data.dataset, "layout", None)
        self.array_layout = layout if isinstance(layout, ArrayLayout) else ArrayLayout.auto
        outputs, labels = objective.n_outputs(data.dataset), data.dataset.n_classes
        self._classifies = labels > 0 and outputs == labels and "labels" in objective.needs
        self.class_names = data.dataset.class_names if self._classifies else None

    @torch.no_grad()
    def locate(self, views: Float[Tensor, "B C *in_size"]) -> list[Located]:
        """θ of a batch, and what the classifier takes the images for.

        Args:
            views: as `view` makes them.
        """
        if isinstance(self.network.transformer, SpatialTransformer):
            with recorded_stages(self.network) as stages:
                output = self.network(views)
            assert stages.theta is not None
            theta = stages.theta[:, None]
        else:
            theta = torch.stack([each.localize(views) for each in self.transformers], dim=1)
            output = self.network(views) if self._classifies else None
        if not self._classifies:
            return [Located(row) for row in theta]
        score, label = output.double().softmax(dim=1).max(dim=1)
        return [Located(*row) for row in zip(theta, label.tolist(), score.tolist(), strict=True)]

    def image_map(self, located: Located, frame: Frame, number: int = 0) -> ImageMap:
        """The map from the output to the image.

        Args:
            located: of the image.
            frame: of the view in the image.
            number: of the transformer, of several in parallel.
        """
        return image_map(self.transformers[number].family, located.theta[number : number + 1], frame)

    @torch.no_grad()
    def warp(
        self,
        image: Shaped[Tensor, "K *size"],
        through: ImageMap,
        size: Sequence[int],
        number: int = 0,
        *,
        alpha: bool = False,
    ) -> Shaped[Tensor, "K *out_size"]:
        """The image through a map, as `warped_pixels` gives it.

        Args:
            image: of any number of channels.
            through: of the image.
            size: of the output.
            number: of the transformer, of several in parallel.
            alpha: True if the last channel is alpha.
        """
        return warped_pixels(image, through, self.samplers[number], size, alpha=alpha)


def out_size(frame: Frame, size: Sequence[int] | None, scale: float | None) -> tuple[int, ...]:
    """The size of the output: the one asked for, or that of the frame in pixels of the image, times the scale.

    Args:
        frame: of the view in the image.
        size: (H, W) or (D, H, W), each from 1 to 65,535.
        scale: above 0.

    Raises:
        InputError: when the size does not have the axes of the image, or is out of range.
    """
    if size is None:
        size = [max(1, round(n * (scale or 1.0))) for n in frame.out_size]
        if max(size) > LARGEST_SIDE:
            raise InputError(
                f"expected a result of at most {LARGEST_SIDE} pixels a side, got {'×'.join(map(str, size))}: "
                f"choose a {'size' if scale is None else 'smaller scale'}"
            )
    if len(size) != len(frame.size) or not all(1 <= n <= LARGEST_SIDE for n in size):
        raise InputError(f"{_expected_size(len(frame.size))}, got {' '.join(map(str, size))}")
    return tuple(size)


def check_size(
    size: Sequence[int] | np.ndarray | Tensor | None, scale: float | None, ndim: int
) -> tuple[int, ...] | None:
    """The size as a tuple of whole numbers; None for None.

    Args:
        size: of the output.
        scale: of the output.
        ndim: number of dimensions of the images, for the message; `out_size` compares it.

    Raises:
        InputError: for a size or a scale of nonsense, or for both of them.
    """
    if isinstance(size, np.ndarray | Tensor):
        size = size.tolist()
    if scale is not None and not isinstance(scale, Real):
        raise InputError(f"scale: expected a number above 0, got {scale!r}")
    if size is not None and not (isinstance(size, Sequence) and all(isinstance(n, Integral) for n in size)):
        raise InputError(f"{_expected_size(ndim)}, got {size!r}")
    if size is not None and scale is not None:
        raise InputError(f"expected a size or a scale, got {list(size)} and {scale:g}")
    if scale is not None and not (0 < scale < math.inf):
        raise InputError(f"scale: expected a number above 0, got {scale:g}")
    if scale is not None and scale > LARGEST_SIDE:  # a pixel would become larger than the largest image
        raise InputError(f"scale: expected at most {LARGEST_SIDE}, got {scale:g}")
    if size is not None and (len(size) not in (2, 3) or not all(1 <= n <= LARGEST_SIDE for n in size)):
        raise InputError(f"{_expected_size(ndim)}, got {' '.join(map(str, size))}")
    return None if size is None else tuple(map(int, size))


def _expected_size(ndim: int) -> str:
    return f"size: expected {'H W' if ndim == 2 else 'D H W'}, each from 1 to {LARGEST_SIDE}"


def _sampler(
    config: Mapping[str, Any],
    transformer: SpatialTransformer,
    chosen: str | Mapping[str, Any] | None,
    padding: str | None,
) -> nn.Module:
    if chosen is None and padding is None:
        return transformer.sampler
    if padding is not None:
        Padding.parse(padding)
    if chosen is not None and not isinstance(chosen, str | Mapping):
        raise InputError(f"sampler: expected a name, or a mapping with options, got {chosen!r}")
    if chosen is None:
        parts = config["placement"].get("parts") or {}
        chosen = (parts.get("input") or {}).get("sampler") or config["sampler"]
    made: nn.Module = build("sampler", chosen, **({} if padding is None else {"padding": padding}))
    return made.eval()
