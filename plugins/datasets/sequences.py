"""Rows of digits at random places of one image, like house numbers."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, Shaped, UInt8
from torch import Tensor

import stnkit
from stnkit.distortions import pose_theta
from stnkit.errors import DataError, InputError

_SEEDS = {"train": 0, "validation": 1, "test": 2}
# Least and most space between neighbors, in pixels of the source.
_GAP = (3.0, 8.0)
# Images composed at once: 20 MB at 64×64 with five digits.
_CHUNK = 256


class Sequences(stnkit.Dataset):
    """Images of one row of digits each, labeled by the digits from left to right, then by "no digit".

    A row has a random number of digits, all from the same split of the source, cropped to what is not black and put
    side by side without overlap. It is scaled, rotated and placed anywhere it fits. Row i of a split is always the
    same, whatever `n` is. Targets are (N, positions): 0 … n_classes − 1 for a digit, n_classes for none.

    Args:
        source: the dataset of the digits, a name or a mapping `{name: ..., option: ...}`.
        digits: the fewest and the most digits in a row, at least 1; the most is the number of positions.
        size: side of the image in pixels, at least 16.
        scale: smallest and largest scale of a row, above 0 to 1: 1 is the largest at which the row fits, and at which
            no digit is higher than half of the image.
        degrees: largest rotation of a row to each side, 0 to 180.
        jitter: variation of each digit in its row, 0 to 0.5: its scale is 1 ± jitter, and it is moved up or down by at
            most this share of its height.
        n: number of training images; null for as many as the source has. Validation and test have those of the source.

    Raises:
        InputError: when an option is out of its range, or the source has no planar images with labels.

    Example:
        >>> import stnkit
        >>> images, targets = stnkit.build("dataset", "sequences").split("test")
        >>> images.shape, targets[0].tolist()
        (torch.Size([400, 1, 64, 64]), [5, 7, 5, 0, 0])

    Source: the set-up of Jaderberg et al. 2015, section 4.2 (street view house numbers, up to five digits).
    """

    default_objective = "sequence"

    def __init__(
        self,
        source: str | dict[str, Any] = "digits",
        digits: tuple[int, int] = (1, 5),
        size: int = 64,
        scale: tuple[float, float] = (0.5, 1.0),
        degrees: float = 0.0,
        jitter: float = 0.1,
        n: int | None = None,
    ) -> None:
        if len(digits) != 2 or not 1 <= digits[0] <= digits[1]:
            raise InputError(f"digits: expected the fewest and the most digits, at least 1, got {list(digits)}")
        if size < 16:
            raise InputError(f"size: expected at least 16 pixels, got {size}")
        if len(scale) != 2 or not 0 < scale[0] <= scale[1] <= 1:
            raise InputError(f"scale: expected the smallest and the largest, above 0 to 1, got {list(scale)}")
        if not 0 <= degrees <= 180:
            raise InputError(f"degrees: expected 0 to 180, got {degrees}")
        if not 0 <= jitter <= 0.5:
            raise InputError(f"jitter: expected 0 to 0.5, got {jitter}")
        if n is not None and n < 1:
            raise InputError(f"n: expected at least 1, or null, got {n}")
        self.source: stnkit.Dataset = stnkit.build("dataset", source)
        if len(self.source.image_shape) != 3 or self.source.n_classes < 1:
            raise InputError(
                f"source: expected a dataset of images (C, H, W) with labels, got {type(self.source).__name__} with "
                f"images {list(self.source.image_shape)} of {self.source.n_classes} classes"
            )
        self.fewest, self.most = digits
        self.scale, self.degrees, self.jitter, self.n = tuple(scale), degrees, jitter, n
        self.image_shape = (self.source.image_shape[0], size, size)
        self.n_classes = self.source.n_classes
        self.target_shape = (self.most,)
        self.family, self.sampler = stnkit.build("transform", "affine"), stnkit.build("sampler", "bilinear")

    def split(
        self, name: Literal["train", "validation", "test"]
    ) -> tuple[UInt8[Tensor, "N C S S"] | Float[Tensor, "N C S S"], Int64[Tensor, "N positions"]]:
        if name not in _SEEDS:
            raise InputError(f"expected a split of {', '.join(_SEEDS)}, got {name!r}")
        images, labels = self.source.split(name)
        if labels.ndim != 1 or labels.is_floating_point():
            raise DataError(
                f"source: expected labels, whole numbers of shape (N,), got {labels.dtype} of shape "
                f"{tuple(labels.shape)} in {name}"
            )
        n = self.n if name == "train" and self.n is not None else len(images)
        # One row of draws for each image, so that an image does not depend on their number.
        generator = torch.Generator().manual_seed(_SEEDS[name])
        draws = torch.rand(n, 5 + 4 * self.most, dtype=torch.float64, generator=generator)
        boxes = _ink(images)
        composed = torch.empty(n, *self.image_shape, dtype=images.dtype)
        targets = torch.empty(n, self.most, dtype=torch.int64)
        for start in range(0, n, _CHUNK):
            rows = slice(start, start + _CHUNK)
            count, shape = draws[rows, 0], draws[rows, 1:5]
            pick, own = draws[rows, 5 : 5 + self.most], draws[rows, 5 + self.most :]
            shown = torch.arange(self.most) < (self.fewest + count * (self.most - self.fewest + 1)).long()[:, None]
            chosen = (pick * len(images)).long()
            targets[rows] = torch.where(shown, labels.long()[chosen], self.n_classes)
            theta = self._poses(boxes[chosen], shown, shape, own.view(-1, 3, self.most))
            composed[rows] = self._composed(images[chosen[shown]], theta[shown], shown)
        return composed, targets

    def _poses(
        self,
        boxes: Float[Tensor, "B K 4"],
        shown: Bool[Tensor, "B K"],
        shape: Float[Tensor, "B 4"],
        own: Float[Tensor, "B 3 K"],
    ) -> Float[Tensor, "B K 6"]:
        """The affine θ of each digit.

        Args:
            boxes: of the ink of each digit, in pixels: x and y of the center, from that of the image; width, height.
            shown: True for the digits that the row has.
            shape: U(0, 1) for scale, rotation, x and y of each row.
            own: U(0, 1) for scale, gap and height of each digit in its row.
        """
        size = self.image_shape[1]
        own_scale = 1 + self.jitter * (2 * own[:, 0] - 1)
        width, height = (boxes[..., 2:] * own_scale[..., None]).unbind(-1)
        cell = (width + _GAP[0] + (_GAP[1] - _GAP[0]) * own[:, 1]) * shown
        y = self.jitter * height * (2 * own[:, 2] - 1)
        row_width = cell.sum(dim=1)
        x = cell.cumsum(dim=1) - cell / 2 - row_width[:, None] / 2
        # A pixel of the source above and below, where bilinear reading spreads the ink.
        row_height = 2 * ((y.abs() + height / 2 + 1) * shown).amax(dim=1)

        degrees = self.degrees * (2 * shape[:, 1] - 1)
        cos, sin = torch.cos(torch.deg2rad(degrees)), torch.sin(torch.deg2rad(degrees))
        extent = torch.stack(
            [row_width * cos.abs() + row_height * sin.abs(), row_width * sin.abs() + row_height * cos.abs()], dim=1
        )
        largest = torch.minimum(size / extent.amax(dim=1), size / 2 / (height * shown).amax(dim=1))
        scale = largest * (self.scale[0] + (self.scale[1] - self.scale[0]) * shape[:, 0])
        place = (shape[:, 2:] - 0.5) * (size - scale[:, None] * extent)
        # The center of the source's image in the row, then in the image.
        x, y = x - own_scale * boxes[..., 0], y - own_scale * boxes[..., 1]
        cos, sin = (scale * cos)[:, None], (scale * sin)[:, None]
        shift = place[:, None] + torch.stack([cos * x + sin * y, cos * y - sin * x], dim=-1)
        scales = (scale[:, None] * own_scale).flatten()
        turns = degrees[:, None].expand_as(own_scale).flatten()
        theta = pose_theta(turns, scales, shift.flatten(0, 1), self.source.image_shape[1:], (size, size))
        return theta.view(*own_scale.shape, -1)

    def _composed(
        self, digits: Shaped[Tensor, "M C H W"], theta: Float[Tensor, "M 6"], shown: Bool[Tensor, "B K"]
    ) -> Shaped[Tensor, "B C S S"]:
        """The images of rows: the sum of their digits, each read through its θ, in the dtype of the source."""
        whole = digits.dtype == torch.uint8
        # Rows are smaller than the source's digits: four readings to a pixel do not alias.
        fine = [2 * side for side in self.image_shape[1:]]
        read = F.avg_pool2d(stnkit.warp(self.family, theta, digits.float(), self.sampler, fine), 2)
        composed = torch.zeros(len(shown), *self.image_shape).index_add_(0, shown.nonzero()[:, 0], read)
        return composed.round().clamp(0, 255).to(torch.uint8) if whole else composed.to(digits.dtype)


def _ink(images: Shaped[Tensor, "N C H W"]) -> Float[Tensor, "N 4"]:
    """X and y of the center of what is not black, from that of the image; its width and height. All in pixels."""
    ink = (images != 0).any(dim=1)
    sides = []
    for axis in (1, 2):
        there, n = ink.any(dim=axis).double(), ink.shape[3 - axis]
        # An image without ink counts as a whole; the first of equal maxima is the nearest to the edge.
        first, last = there.argmax(dim=1), n - 1 - there.flip(1).argmax(dim=1)
        sides.append(((first + last - (n - 1)) / 2, (last - first + 1)))
    (x, width), (y, height) = sides
    return torch.stack([x, y, width, height], dim=1).double()


@stnkit.hookimpl
def stnkit_components() -> Iterable[stnkit.Component]:
    """The component of this file."""
    yield stnkit.Component("sequences", Sequences)
