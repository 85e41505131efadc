"""Frame: the box of an image that the localizer has seen, to which θ refers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from stnkit.packing.fitting import Fit


@dataclass(frozen=True)
class Frame:
    """p = scale · q + shift: points q of what the localizer saw as points p of the image, both normalized.

    Args:
        start: of the box, in pixels from the first edge of the image, for each of its axes, (top, left) in two
            dimensions; below 0 where the frame is padded.
        extent: of the box in pixels, (height, width).
        size: of the image, (H, W).

    Example:
        >>> from stnkit.experiments.rectification.frame import Frame
        >>> square = Frame(start=(0, 10), extent=(40, 40), size=(40, 60))
        >>> square.scale, square.out_size
        (tensor([0.6667, 1.0000], dtype=torch.float64), (40, 40))
    """

    start: tuple[float, ...]
    extent: tuple[float, ...]
    size: tuple[int, ...]

    @classmethod
    def whole(cls, size: Sequence[int]) -> "Frame":
        """All of an image.

        Args:
            size: of the image.
        """
        return cls((0.0,) * len(size), tuple(map(float, size)), tuple(size))

    @property
    def is_whole(self) -> bool:
        """True if the frame is the image."""
        return self == Frame.whole(self.size)

    @property
    def scale(self) -> Float[Tensor, "ndim"]:
        """Of each coordinate, x first, in float64."""
        return _coordinates(extent / n for extent, n in zip(self.extent, self.size, strict=True))

    @property
    def shift(self) -> Float[Tensor, "ndim"]:
        """Of each coordinate, x first, in float64."""
        axes = zip(self.start, self.extent, self.size, strict=True)
        return _coordinates((2 * start + extent) / n - 1 for start, extent, n in axes)

    @property
    def matrix(self) -> Float[Tensor, "rows rows"]:
        """The homogeneous matrix of q ↦ p, in float64."""
        matrix = torch.diag(torch.cat([self.scale, self.scale.new_ones(1)]))
        matrix[:-1, -1] = self.shift
        return matrix

    @property
    def out_size(self) -> tuple[int, ...]:
        """The size at which a pixel of the output is as large as one of the image."""
        return tuple(max(1, round(extent)) for extent in self.extent)


def frame_of(size: tuple[int, ...], in_size: tuple[int, ...], fit: Fit) -> Frame:
    """The frame of an image that is brought to the size of the localizer as `stnkit.packing.fitting.fitted` does it.

    Args:
        size: of the image.
        in_size: of what the localizer sees.
        fit: the way; volumes are stretched.
    """
    if fit is Fit.stretch or size == in_size or len(size) != 2:
        return Frame.whole(size)
    (height, width), (rows, columns) = size, in_size
    if fit is Fit.crop:  # as ImageOps.fit
        ratio = columns / rows
        wide = width / height >= ratio
        extent = (float(height), ratio * height) if wide else (width / ratio, float(width))
        return Frame(((height - extent[0]) / 2, (width - extent[1]) / 2), extent, size)
    scale = min(columns / width, rows / height)
    across, down = max(1, min(columns, round(scale * width))), max(1, min(rows, round(scale * height)))
    step = height / down, width / across  # pixels of the image in one of the frame
    start = -((rows - down) // 2) * step[0], -((columns - across) // 2) * step[1]
    return Frame(start, (rows * step[0], columns * step[1]), size)


def _coordinates(of_axes: Iterable[float]) -> Tensor:
    return torch.tensor(list(of_axes)[::-1], dtype=torch.float64)
