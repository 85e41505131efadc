"""Rectify: an image in memory through the transformer of a trained run."""

from collections.abc import Sequence
from numbers import Integral

import numpy as np
import torch
from torch import Tensor

from stnkit.coordinates import check_is_tensor
from stnkit.errors import InputError
from stnkit.experiments.rectification.measures import pixel_matrices, shares
from stnkit.experiments.rectification.rectified import Rectified
from stnkit.experiments.rectification.rectifier import Rectifier, check_size, out_size


@torch.no_grad()
def rectify(
    rectifier: Rectifier,
    image: Tensor,
    *,
    size: Sequence[int] | np.ndarray | Tensor | None = None,
    scale: float | None = None,
    number: int = 0,
) -> Rectified:
    """An image through the transformer of a run; `TrainedRun.rectify` describes it.

    Args:
        rectifier: of the run.
        image: (C, *size).
        size: of the output.
        scale: of the output.
        number: of the transformer.

    Raises:
        InputError: when one of them is not of that form.
    """
    check_is_tensor("image", image)
    size = check_size(size, scale, rectifier.transformers[0].family.ndim)
    if not (image.is_floating_point() or image.dtype == torch.uint8):
        raise InputError(f"image: expected uint8 or floating-point numbers, got {image.dtype}")
    if image.is_floating_point() and not bool(image.isfinite().all()):
        raise InputError("image: expected finite values, got NaN or infinity")
    if 0 in image.shape:
        raise InputError(f"image: expected at least one pixel, got shape {tuple(image.shape)}")
    if not isinstance(number, Integral) or not 0 <= number < len(rectifier.transformers):
        raise InputError(f"number: expected a transformer from 0 to {len(rectifier.transformers) - 1}, got {number!r}")
    view, frame = rectifier.view.of_tensor(image)
    located = rectifier.locate(view[None])[0]
    through = rectifier.image_map(located, frame, number)
    given = out_size(frame, size, scale)
    outside, folded = shares(through, given)
    return Rectified(
        rectifier.warp(image, through, given, number),
        located.theta[number],
        located.prediction,
        located.score,
        outside,
        folded,
        pixel_matrices(through, frame.size, given),
        frame.size,
        through,
        rectifier.samplers[number],
    )
