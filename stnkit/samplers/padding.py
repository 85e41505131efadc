"""Padding: the values that a sampler reads outside of the image."""

import enum
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from stnkit.errors import InputError
from stnkit.listed import check_choice
from stnkit.portable import is_exported


class Padding(enum.StrEnum):
    """The values that a sampler reads outside of the image, for a row a b c.

    Example:
        >>> import torch, stnkit
        >>> image, points = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[-1.5, 0.0], [0.5, 0.0]]]])
        >>> for padding in (stnkit.samplers.Padding.zeros, stnkit.samplers.Padding.border):
        ...     stnkit.build("sampler", "nearest", padding=padding)(image, points).tolist()
        [[[[0.0, 2.0]]]]
        [[[[1.0, 2.0]]]]
    """

    zeros = "zeros"  # 0 0 0 | a b c | 0 0 0
    border = "border"  # a a a | a b c | c c c
    reflection = "reflection"  # c b a | a b c | c b a, about the edges of the image
    mirror = "mirror"  # c b | a b c | b a, about the centers of the first and the last pixel
    circular = "circular"  # a b c | a b c | a b c
    fill = "fill"  # f f f | a b c | f f f, f being the fill value

    @classmethod
    def parse(cls, padding: "Padding | str") -> "Padding":
        """The padding of that name.

        Raises:
            InputError: when there is none.
        """
        check_choice("padding", padding, cls)
        return cls(padding)


def source_index(index: Int64[Tensor, "*any"], n: int, padding: Padding) -> Int64[Tensor, "*any"]:
    """The pixel of a row of n that stands for pixel `index`, which may lie outside of it.

    Args:
        index: any integers.
        n: number of pixels in the row.
        padding: for zeros and fill the nearest pixel is returned, and the caller masks its weight.

    Example:
        >>> import torch, stnkit
        >>> stnkit.samplers.source_index(torch.arange(-2, 5), 3, stnkit.samplers.Padding.mirror).tolist()
        [2, 1, 0, 1, 2, 1, 0]
    """
    if padding is Padding.circular:
        return index.remainder(n)
    if padding is Padding.reflection:
        folded = index.remainder(2 * n)
        return torch.minimum(folded, 2 * n - 1 - folded)
    if padding is Padding.mirror:
        period = max(2 * n - 2, 1)
        folded = index.remainder(period)
        return torch.minimum(folded, period - folded)
    return index.clamp(0, n - 1)


def mirrored(grid: Float[Tensor, "B *out_size ndim"], size: Sequence[int]) -> Float[Tensor, "B *out_size ndim"]:
    """Points folded into the span of the pixel centers, ±(1 − 1/n), by mirrors at its ends; those in it unchanged.

    Args:
        grid: finite normalized points, x first.
        size: of the image, (H, W) or (D, H, W).
    """
    ends = 1 - 1 / torch.tensor(tuple(size)[::-1], dtype=grid.dtype, device=grid.device)
    # Of one pixel there is no span: any point stands for its center.
    folded = ends - (torch.remainder(grid + ends, torch.where(ends > 0, 4 * ends, 1.0)) - 2 * ends).abs()
    return torch.where(grid.abs() <= ends, grid, folded)


def check_label_fill(fill_value: float | list[float], dtype: torch.dtype) -> None:
    """Raise an InputError unless an image of integers or booleans can hold the fill values.

    Args:
        fill_value: a number, or one for each channel.
        dtype: of the image.

    Raises:
        InputError: when one is not whole, or out of the range of the dtype.
    """
    values = fill_value if isinstance(fill_value, list | tuple) else [fill_value]
    low, high = (0, 1) if dtype is torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
    if not all(value == int(value) and low <= int(value) <= high for value in values):
        raise InputError(
            f"fill_value: expected whole numbers from {low} to {high} for an image of {dtype}, got {fill_value!r}"
        )


def wrapped(image: Float[Tensor, "B C *size"], margin: int) -> Float[Tensor, "B C *wider"]:
    """The image continued periodically by `margin` pixels on each side."""
    size = image.shape[2:]
    if min(size) >= margin and not is_exported():
        return F.pad(image, [margin] * (2 * len(size)), mode="circular")
    for d, n in enumerate(size, start=2):
        if min(size) >= margin:
            # ONNX writes the circular mode as Pad "wrap", which OpenVINO, tract and MNN refuse.
            before = (slice(None),) * d
            last, first = image[(*before, slice(n - margin, n))], image[(*before, slice(margin))]
            image = torch.cat([last, image, first], dim=d)
        else:
            index = torch.arange(-margin, n + margin, device=image.device)
            image = image.index_select(d, source_index(index, n, Padding.circular))
    return image
