"""Convolutions of localizers, for images and volumes alike."""

from collections.abc import Sequence
from typing import Any, final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stnkit.errors import InputError


def channels_and_size(in_shape: Sequence[int]) -> tuple[int, list[int]]:
    """C and the size of images or volumes.

    Args:
        in_shape: (C, H, W) or (C, D, H, W).

    Raises:
        InputError: for any other number of dimensions.

    Example:
        >>> import stnkit
        >>> stnkit.localizers.channels_and_size((3, 28, 42))
        (3, [28, 42])
    """
    n_channels, *size = in_shape
    if len(size) not in (2, 3):
        raise InputError(f"in_shape: expected (C, H, W) or (C, D, H, W), got {list(in_shape)}")
    return n_channels, size


def check_channels(channels: Sequence[int]) -> None:
    """Raise an InputError unless these are widths of convolutions.

    Args:
        channels: of each convolution.

    Raises:
        InputError: when there is none, or one is less than 1.
    """
    if not channels or min(channels) < 1:
        raise InputError(f"channels: expected one or more widths of at least 1, got {list(channels)}")


def convolution_block(ndim: int, n_in: int, n_out: int, stride: int = 1) -> nn.Sequential:
    """A padded convolution of 3 pixels along each axis, batch-norm and ReLU.

    Args:
        ndim: number of dimensions, 2 or 3.
        n_in: number of channels of its input.
        n_out: number of channels of its output.
        stride: of the convolution.

    Example:
        >>> import torch, stnkit
        >>> stnkit.localizers.convolution_block(2, 1, 5, stride=2)(torch.rand(4, 1, 8, 6)).shape
        torch.Size([4, 5, 4, 3])
    """
    convolution: Any
    convolution, norm = (nn.Conv2d, nn.BatchNorm2d) if ndim == 2 else (nn.Conv3d, nn.BatchNorm3d)
    # Batch-norm would subtract a bias in front of it.
    return nn.Sequential(convolution(n_in, n_out, 3, stride, padding=1, bias=False), norm(n_out), nn.ReLU())


def average_pool(ndim: int, factor: int) -> nn.Module:
    """The average over `factor` pixels along each axis, of what there is of them at the end of an axis.

    Args:
        ndim: number of dimensions, 2 or 3.
        factor: number of pixels.

    Example:
        >>> import torch, stnkit
        >>> stnkit.localizers.average_pool(3, 4)(torch.rand(1, 2, 3, 9, 8)).shape
        torch.Size([1, 2, 1, 3, 2])
    """
    return nn.AvgPool2d(factor, ceil_mode=True) if ndim == 2 else _AveragePool3d(factor)


@final
class _AveragePool3d(nn.Module):
    """The average pool of volumes: height and width, then depth.

    torch's own refuses an axis that is shorter than its kernel, which AvgPool2d takes, and its gradient on a GPU is not
    deterministic.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, image: Float[Tensor, "B C *size"]) -> Float[Tensor, "B C *smaller"]:
        """The averages, ⌈n / factor⌉ along each axis."""
        slices = F.avg_pool2d(image.flatten(1, 2), self.factor, ceil_mode=True)
        height, width = slices.shape[2:]
        rows = slices.reshape(*image.shape[:3], height * width)
        pooled = F.avg_pool2d(rows, (self.factor, 1), ceil_mode=True)
        return pooled.reshape(*pooled.shape[:3], height, width)

    def extra_repr(self) -> str:
        """The factor."""
        return str(self.factor)
