"""A localizer of key points: the soft arg-max of heat maps."""

from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

import stnkit
from stnkit.errors import InputError


class Keypoints(stnkit.Localizer):
    """The key points Σ_p w_k(p)·p, with weights w_k = softmax(h_k / τ) over the pixels p of K heat maps h.

    Convolutions of 3×3 with batch-norm and ReLU, 2× average-pools between them, and a 1×1 convolution give the heat
    maps. The features are the points themselves, so that θ is linear in them: an object that moves takes its points
    along. Images of any size are taken, in training and later.

    Args:
        in_shape: (C, *size) of the images in training; the program supplies it.
        points: K, the number of key points.
        channels: channels of each convolution, by default [16, 32, 32]; a pixel of the heat maps spans
            2 ** (len(channels) − 1) pixels of the image.
        temperature: τ, at least 1e-6: the lower, the nearer is a point to the largest value of its heat map.
        confidence: True for a feature Σ_p w_k(p)² of each point, 1 for a heat map of a single peak.

    Raises:
        InputError: when heat maps of images of this size have one pixel, or an option is out of its range.

    Example:
        >>> import torch, stnkit
        >>> localizer = stnkit.build("localizer", "keypoints", in_shape=(1, 28, 28), points=5)
        >>> image = torch.rand(2, 1, 28, 28)
        >>> localizer(image).shape, localizer.points(image).shape
        (torch.Size([2, 10]), torch.Size([2, 5, 2]))

    Source: Levine et al. 2016, End-to-end training of deep visuomotor policies, section 5.1 (spatial soft arg-max);
        Yu, Wang, Dalca, Sabuncu 2022, KeyMorph (θ from key points).
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        points: int = 16,
        channels: list[int] | None = None,
        temperature: float = 0.1,
        confidence: bool = False,
    ) -> None:
        super().__init__()
        channels = [16, 32, 32] if channels is None else list(channels)
        if points < 1:
            raise InputError(f"points: expected at least 1, got {points}")
        stnkit.localizers.check_channels(channels)
        stnkit.localizers.check_temperature(temperature)
        n_channels, size = stnkit.localizers.channels_and_size(in_shape)
        self.stride = 2 ** (len(channels) - 1)
        if max(size) <= self.stride:
            raise InputError(
                f"it is too deep for images of {'×'.join(map(str, size))}: heat maps behind {len(channels)} "
                f"convolutions have one pixel; use larger images or fewer channels (now channels={channels})"
            )
        layers: list[nn.Module] = []
        for width in channels:
            layers += [stnkit.localizers.average_pool(len(size), 2)] if layers else []
            layers.append(stnkit.localizers.convolution_block(len(size), n_channels, width))
            n_channels = width
        convolution: Any = nn.Conv2d if len(size) == 2 else nn.Conv3d
        # A bias of a heat map would not change its softmax.
        self.layers = nn.Sequential(*layers, convolution(n_channels, points, 1, bias=False))
        self.temperature = temperature
        self.confidence = confidence
        self.n_features = points * (len(size) + confidence)

    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        weights, points = self._weights_and_points(image)
        if not self.confidence:
            return points.flatten(1)
        return torch.cat([points.flatten(1), weights.square().sum(dim=2)], dim=1)

    def points(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B K ndim"]:
        """The key points in normalized coordinates, x before y (before z).

        Args:
            image: a batch of images.
        """
        return self._weights_and_points(image)[1]

    def _weights_and_points(self, image: Tensor) -> tuple[Float[Tensor, "B K pixels"], Float[Tensor, "B K ndim"]]:
        heat = self.layers(image)
        # In pixels of the image, beyond which the last one of a map may reach.
        extent = [m * self.stride / n for m, n in zip(heat.shape[2:], image.shape[2:], strict=True)]
        return stnkit.localizers.soft_arg_max(heat, self.temperature, extent)


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("keypoints", Keypoints)
