"""A localizer for images of any size: averages over the image."""

import math
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

import stnkit
from stnkit.errors import InputError


class Pooled(stnkit.Localizer):
    """relu(W·m + b), m the means over all pixels p of convolutional features f(p), and of their products p·f(p).

    Convolutions of 3×3 with batch-norm and ReLU, and 2× average-pools between them, give f. The means alone are the
    same wherever an object lies; the products, the first moments, say where. Both exist for any size: a transformer
    that is trained on images of one size takes those of another.

    Args:
        in_shape: (C, *size) of the images in training; the program supplies it.
        channels: channels of each convolution; null is [16, 32, 64], or as many of these as leave images of this size
            more than one pixel.
        moments: True for the first moments, in normalized coordinates, beside the means.
        downsample: factor of the average-pool in front, 1 for none.
        features: width of the fully connected layer.

    Raises:
        InputError: when the last convolution has one pixel for images of this size, or an option is out of its range.

    Example:
        >>> import torch, stnkit
        >>> localizer = stnkit.build("localizer", "pooled", in_shape=(1, 28, 28))
        >>> localizer(torch.rand(2, 1, 28, 28)).shape, localizer(torch.rand(2, 1, 40, 60)).shape
        (torch.Size([2, 64]), torch.Size([2, 64]))

    Source: Lin, Chen, Yan 2014, Network in network, section 3.2 (global average pooling).
    """

    def __init__(
        self,
        in_shape: tuple[int, ...],
        channels: list[int] | None = None,
        moments: bool = True,
        downsample: int = 2,
        features: int = 64,
    ) -> None:
        super().__init__()
        n_channels, size = stnkit.localizers.channels_and_size(in_shape)
        if channels is None:
            # A convolution has half the pixels of the one before.
            n_convolutions = max(1, min(3, math.ceil(math.log2(max(size) / max(1, downsample)))))
            channels = [16, 32, 64][:n_convolutions]
        stnkit.localizers.check_channels(channels)
        if downsample < 1 or features < 1:
            raise InputError(f"downsample and features: expected at least 1, got {downsample} and {features}")
        # Batch-norm needs more than one value for each channel, also of a batch of one image.
        if max(size) <= downsample * 2 ** (len(channels) - 1):
            raise InputError(
                f"it is too deep for images of {'×'.join(map(str, size))}: the last of {len(channels)} convolutions "
                f"has one pixel; use larger images, fewer channels or a smaller downsample (now channels={channels}, "
                f"downsample={downsample})"
            )
        self.stride = downsample * 2 ** (len(channels) - 1)
        layers: list[nn.Module] = []
        for width in channels:
            layers.append(stnkit.localizers.average_pool(len(size), 2 if layers else downsample))
            layers.append(stnkit.localizers.convolution_block(len(size), n_channels, width))
            n_channels = width
        self.layers = nn.Sequential(*layers)
        self.moments = moments
        self.last = nn.Sequential(nn.Linear(n_channels * (1 + len(size) * moments), features), nn.ReLU())
        self.n_features = features

    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features"]:
        return self.last(self.averages(image))

    def averages(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B averages"]:
        """m: the means of all channels, then with `moments` the products of each with x, y (and z).

        Args:
            image: a batch of images.
        """
        maps = self.layers(image)
        flat = maps.flatten(2)
        means = flat.mean(dim=2)
        if not self.moments:
            return means
        axes = [_centers(m, self.stride, n, maps) for m, n in zip(maps.shape[2:], image.shape[2:], strict=True)]
        positions = stnkit.coordinates.mesh(axes).flatten(0, -2)
        return torch.cat([means, (flat @ positions / positions.shape[0]).flatten(1)], dim=1)


def _centers(n_cells: int, stride: int, n_pixels: int, like: Tensor) -> Float[Tensor, "cells"]:
    """Normalized centers of the pixels of each cell along an axis: the last one has fewer where they do not divide."""
    first = torch.arange(n_cells, dtype=like.dtype, device=like.device) * stride
    return (first + (first + stride).clamp(max=n_pixels)) / n_pixels - 1


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("pooled", Pooled)
