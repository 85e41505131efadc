"""A localizer whose features are a map: an encoder and a decoder."""

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

import stnkit
from stnkit.errors import InputError


class Dense(stnkit.Localizer):
    """An encoder and a decoder with skip connections, whose output is a map of features, from which θ is read.

    A level of the encoder is a 3×3 convolution, batch-norm and ReLU on the 2× average-pool of the level before, which
    is enlarged by a pixel along an axis of an odd number, so that each level spans the image exactly. A level
    of the decoder is the same on the coarser level, enlarged linearly, beside the encoder's level of its size. The map
    is the last level. For families whose θ is a lattice of control points: the head is a 1×1 convolution, read at each
    of these, and its number of weights does not grow with theirs. Images of any size are taken, in training and later.

    Args:
        in_shape: (C, *size) of the images; the program supplies it.
        channels: channels of the encoder's levels, the finest first; null is [16, 32, 32, 32], or as many of these as
            leave images of this size more than one pixel.
        decoder: channels of the decoder's levels, the coarsest first, at most one fewer than the encoder has; with
            fewer the map is coarser; null is the encoder's in reverse, without its coarsest.
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
        n_channels, size = stnkit.localizers.channels_and_size(in_shape)
        if channels is None:
            # A level has half the pixels of the one before.
            n_levels = max(1, min(4, math.ceil(math.log2(max(size) / max(1, downsample)))))
            channels = [16, 32, 32, 32][:n_levels]
        decoder = channels[-2::-1] if decoder is None else list(decoder)
        stnkit.localizers.check_channels(channels)
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
        ndim = self.ndim = len(size)
        self.downsample = downsample
        self.shrink = stnkit.localizers.average_pool(ndim, downsample)
        self.halve = stnkit.localizers.average_pool(ndim, 2)
        self.encoder = nn.ModuleList()
        for width in channels:
            self.encoder.append(stnkit.localizers.convolution_block(ndim, n_channels, width))
            n_channels = width
        self.decoder = nn.ModuleList()
        for width, beside in zip(decoder, channels[-2::-1], strict=False):
            self.decoder.append(stnkit.localizers.convolution_block(ndim, n_channels + beside, width))
            n_channels = width
        self.mode = "bilinear" if ndim == 2 else "trilinear"
        self.n_features = n_channels

    def features(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B n_features *any"]:
        x, levels = self.shrink(self._in_cells(image, self.downsample)), []
        for i, level in enumerate(self.encoder):
            x = level(x if i == 0 else self.halve(self._in_cells(x, 2)))
            levels.append(x)
        for level, beside in zip(self.decoder, levels[-2::-1], strict=False):
            x = level(torch.cat([F.interpolate(x, beside.shape[2:], mode=self.mode), beside], dim=1))
        return x

    def _in_cells(self, x: Float[Tensor, "B C *size"], factor: int) -> Float[Tensor, "B C *larger"]:
        """Enlarge x to whole cells of a pool, so that they span the image: with a part of a cell they span more."""
        given = [x.shape[2 + axis] for axis in range(self.ndim)]
        size = [-(-n // factor) * factor for n in given]
        # A graph that takes images of any size has no branch; at its own size an image is left as it is.
        is_graph = torch.compiler.is_compiling() or isinstance(x, torch.fx.Proxy)
        return F.interpolate(x, size, mode=self.mode) if is_graph or size != given else x


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("dense", Dense)
