"""A rectified image, and the way of other pixels and points through its map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Real, Shaped
from torch import Tensor, nn

from stnkit.coordinates import check_is_tensor, from_pixels, to_pixels
from stnkit.errors import InputError
from stnkit.experiments.rectification.maps import ImageMap
from stnkit.experiments.rectification.warped_pixels import WHOLE_NUMBERS, warped_pixels
from stnkit.numpy_arrays import as_tensor
from stnkit.plugin_system import build
from stnkit.samplers.padded import PaddedSampler
from stnkit.warping import warp


@dataclass(frozen=True)
class Rectified:
    """A rectified image and what is known of it.

    Args:
        image: (C, *out_size), in the dtype of the image that was given.
        theta: of its map.
        prediction: label of the likeliest class; None for a run without a classifier.
        score: probability of that class, 0 to 1.
        outside: share of the output that is read from outside of the image, 0 to 1.
        folds: share of the output at which the map folds, 0 to 1.
        matrices: the map in pixels by convention, as `pixel_matrices` gives it; empty for a family without matrices.
        in_size: of the image that was given, (H, W) or (D, H, W).
        map: of points of the output to points of the image, whatever frame of it the localizer has seen: a family and
            its θ, both for normalized points.
        sampler: that has read the image.
    """

    image: Shaped[Tensor, "C *out_size"]
    theta: Float[Tensor, "P"]
    prediction: int | None
    score: float | None
    outside: float
    folds: float
    matrices: dict[str, Tensor | None]
    in_size: tuple[int, ...]
    map: ImageMap
    sampler: nn.Module

    @property
    def out_size(self) -> tuple[int, ...]:
        """Of the output, (H, W) or (D, H, W)."""
        return tuple(self.image.shape[1:])

    @torch.no_grad()
    def warp(
        self, other: Shaped[Tensor, "K *in_size"], *, sampler: str | Mapping[str, Any] | None = None
    ) -> Shaped[Tensor, "K *out_size"]:
        """Another image of the same scene through the same map: a mask, a depth map, a second exposure.

            mask = straight.warp(mask, sampler="nearest")

        Args:
            other: of the size of the image and any number of channels; with a sampler that reads labels, such as
                nearest, of any dtype.
            sampler: a name, or a mapping with options; None for that of the image.

        Raises:
            InputError: when `other` has another size or a dtype that the sampler does not read, or there is no such
                sampler.
        """
        check_is_tensor("other", other)
        if tuple(other.shape[1:]) != self.in_size:
            size = ", ".join(map(str, self.in_size))
            raise InputError(f"other: expected shape (K, {size}), as the image has it, got {tuple(other.shape)}")
        reader = self.sampler if sampler is None else build("sampler", sampler).eval()
        if isinstance(reader, PaddedSampler) and reader.reads_labels:
            return warp(*self.map, other[None], reader, self.out_size)[0]
        if other.dtype not in WHOLE_NUMBERS and not other.is_floating_point():
            raise InputError(
                f"other: expected uint8, uint16, int32 or floating-point numbers, or a sampler that reads labels, "
                f"got {other.dtype}"
            )
        return warped_pixels(other, self.map, reader, self.out_size)

    @torch.no_grad()
    def to_output(self, points: Real[Tensor | np.ndarray, "N ndim"]) -> Float[Tensor, "N ndim"]:
        """Points of the image, such as landmarks, as points of the output, in float64.

        Args:
            points: pixel indices, x first; 0 is the center of the first pixel.

        Returns:
            The same; NaN for a point that no point of the output is read from.

        Raises:
            InputError: when the points are none of the image's dimensions.
        """
        family, theta = self.map
        given = self._normalized(points, self.in_size)
        return to_pixels(family.inverse(theta.double(), given[None])[0], self.out_size)

    @torch.no_grad()
    def to_image(self, points: Real[Tensor | np.ndarray, "N ndim"]) -> Float[Tensor, "N ndim"]:
        """Points of the output, such as detections in it, as points of the image, in float64.

        Args:
            points: pixel indices, x first; 0 is the center of the first pixel.

        Raises:
            InputError: when the points are none of the image's dimensions.
        """
        family, theta = self.map
        given = self._normalized(points, self.out_size)
        return to_pixels(family(theta.double(), given[None])[0], self.in_size)

    def _normalized(self, points: Tensor | np.ndarray, size: Sequence[int]) -> Float[Tensor, "N ndim"]:
        given = as_tensor("points", points)
        if given.ndim != 2 or given.shape[1] != len(size):
            raise InputError(f"points: expected shape (N, {len(size)}), x first, got {tuple(given.shape)}")
        return from_pixels(given.double(), size)
