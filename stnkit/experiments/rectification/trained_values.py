"""Trained values: the range of the images that a network was trained on, and images of quite another one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from stnkit.errors import InputError

# Overshoot allowed around 0 to 1: kernels with negative weights, as bicubic, leave the range.
_BESIDE = 0.25
# Distance from the range, in its widths, beyond which numbers are in another unit, such as 255 for 1; a bright pixel
# stays below it.
_FAR = 10


@dataclass(frozen=True)
class TrainedValues:
    """The smallest and the largest value of the training images, as the network saw them.

    Args:
        low: the smallest.
        high: the largest.

    Example:
        >>> import torch
        >>> from stnkit.experiments.rectification.trained_values import TrainedValues
        >>> TrainedValues(0.0, 255.0).are_of_bytes, TrainedValues(0.0, 1.0).are_of_bytes
        (False, True)
    """

    low: float
    high: float

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, Any]) -> "TrainedValues | None":
        """Those of the record of a run; None where an earlier version has written it.

        Args:
            metrics: the content of metrics.json.
        """
        found = (metrics.get("dataset") or {}).get("value_range")
        return None if found is None else cls(*found)

    @property
    def are_of_bytes(self) -> bool:
        """True if bytes, as 0 to 1, have the range of the training."""
        return self.low >= -_BESIDE and self.high <= 1 + _BESIDE

    def check(self, image: Shaped[Tensor, "K *size"]) -> None:
        """Raise an InputError for bytes where the training had another range, and for floats far out of it.

        Args:
            image: uint8 or floating-point.
        """
        if image.dtype == torch.uint8:
            if not self.are_of_bytes:
                raise InputError(
                    f"image: expected floating-point numbers as those of the training, {self}, got uint8, which is "
                    "read as 0 to 1"
                )
            return
        low, high = map(float, image.aminmax())
        # Dark images of 0 to 1 are in the unit of bright ones; a range of one value tells no unit.
        least, most = (min(self.low, 0.0), max(self.high, 1.0)) if self.are_of_bytes else (self.low, self.high)
        beside = _FAR * (most - least) or float("inf")
        if low < least - beside or high > most + beside:
            raise InputError(
                f"image: expected numbers in the range of the training, {self}, got {TrainedValues(low, high)}"
            )

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}"
