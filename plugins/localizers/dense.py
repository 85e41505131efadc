"""A localizer whose features are a map: an encoder and a decoder."""

import math
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

import stnkit
from stnkit.errors import InputError


class Dense(stnkit.Localizer):
    """An encoder and a decoder with skip connections, whose output is a map of features, from which θ is read.

    A level of the encoder is a 3×3 convolution, batch-norm and ReLU on the 2× average-pool of the level before. A level
    of the decoder is the same on the coarser level, enlarged linearly, beside the encoder's level of its size. The map
    is the last level. For families whose θ is a lattice of control points: the head is a 1×1 convolution, read at each
    of these, and its number of weights does not grow with theirs. Images of any size are taken, in training and later.

    Args:
        in_shape: (C, *size) of the images; the program supplies it.
        channels: channels of the encoder's levels, the finest first; None is [16, 32, 32, 32], or as many of these as
            leave images of this size more than one pixel.
        decoder: channels of the decoder's levels, the coarsest first, at most one fewer than the encoder has; with
            fewer the map is coarser. None is the encoder's in reverse, without its coarsest.
        downsample: factor of the average-pool in front, 1 for none.

    Raises:
        InputError: when the coarsest level of images of this size has one pixel, or an option is out of its range.

    Example:
        >>> import torch, stnkit
        >>> localizer = stnkit.build("localizer", "dense", in_shape=(1, 64, 48))
        >>> localizer(torch.rand(2, 1, 64, 48)).shape
        torch.Size([2, 16, 32, 24])

    Source: Ronneberger, Fischer, Brox 2015, U-Net; for displacements: Balakrishnan et al. 2019, VoxelMorph, section 3.
    """

    feature_map = True

    def __init__(
        self,
        in_shape: tuple[int, ...],
        channels: list[int] | None = None,
        decoder: list[int] | None = None,
        downsample: int = 2,
    ) -> None:
        super().__init__()
        n_channels, *size = in_shape
        if len(size) not in (2, 3):
            raise InputError(f"in_shape: expected (C, H, W) or (C, D, H, W), got {list(in_shape)}")
        if channels is None:
            # A level has half the pixels of the one before.
            n_levels = max(1, min(4, math.ceil(math.log2(max(size) / max(1, downsample)))))
            channels = [16, 32, 32, 32][:n_levels]
        decoder = channels[-2::-1] if decoder is None else list(decoder)
        if not channels or min(channels) < 1:
            raise InputError(f"channels: expected one or more widths of at least 1, got {channels}")
        if len(decoder) >= len(channels) or min(decoder, default=1) < 1:
            raise InputError(
                f"decoder: expected widths of at least 1, fewer than the {len(channels)} of channels, got {decoder}"
            )
        if downsample < 1:
            raise InputError(f"downsample: expected at least 1, got {downsample}")
        # Batch-norm needs more than one value for each channel, also of a batch of one image.
        if max(size) <= downsample * 2 ** (len(channels) - 1):
            raise InputError(
                f"it is too deep for images of {'×'.join(map(str, size))}: the coarsest of {len(channels)} levels has "
                f"one pixel; use larger images, fewer channels or a smaller downsample (now channels={channels}, "
                f"downsample={downsample})"
            )
        ndim = len(size)
        pool: Any = nn.AvgPool2d if ndim == 2 else nn.AvgPool3d
        self.shrink = pool(downsample, ceil_mode=True)
        self.halve = pool(2, ceil_mode=True)
        self.encoder = nn.ModuleList()
        for width in channels:
            self.encoder.append(_level(ndim, n_channels, width))
            n_channels = width
        self.decoder = nn.ModuleList()
        for width, beside in zip(decoder, channels[-2::-1], strict=False):
            self.decoder.append(_level(ndim, n_channels + beside, width))
            n_channels = width
        self.mode = "bilinear" if ndim == 2 else "trilinear"
        self.n_features = n_channels

    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features *any"]:
        x, levels = self.shrink(image), []
        for i, level in enumerate(self.encoder):
            x = level(x if i == 0 else self.halve(x))
            levels.append(x)
        for level, beside in zip(self.decoder, levels[-2::-1], strict=False):
            x = level(torch.cat([F.interpolate(x, beside.shape[2:], mode=self.mode), beside], dim=1))
        return x


def _level(ndim: int, n_in: int, n_out: int) -> nn.Sequential:
    conv: Any
    conv, norm = (nn.Conv2d, nn.BatchNorm2d) if ndim == 2 else (nn.Conv3d, nn.BatchNorm3d)
    # Batch-norm would subtract a bias in front of it.
    return nn.Sequential(conv(n_in, n_out, 3, padding=1, bias=False), norm(n_out), nn.ReLU())


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("dense", Dense)
