"""OpenCV's warps of float images, one by one: the fastest that a CPU has without a gradient."""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

import stnkit
from warp import Inputs, Warp
from work import UnavailableError

MOST_CHANNELS = 4
FLAGS = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP


def affine(inputs: Inputs) -> Warp:
    """`warpAffine`."""
    return _image_by_image(inputs, cv2.warpAffine, 2)


def projective(inputs: Inputs) -> Warp:
    """`warpPerspective`."""
    return _image_by_image(inputs, cv2.warpPerspective, 3)


def _image_by_image(inputs: Inputs, warp: Callable[..., Any], rows: int) -> Warp:
    batch, channels, height, width = inputs.image.shape
    if channels > MOST_CHANNELS:
        raise UnavailableError(f"not for more than {MOST_CHANNELS} channels")
    images = [np.ascontiguousarray(image) for image in inputs.image.movedim(1, -1).numpy()]
    maps = list(_between_pixels(inputs)[:, :rows].numpy())
    warped = np.empty((batch, height, width, channels), np.float32)

    def output() -> Tensor:
        cv2.setNumThreads(torch.get_num_threads())
        for image, between_pixels, into in zip(images, maps, warped, strict=True):
            warp(image, between_pixels, (width, height), into, FLAGS, cv2.BORDER_CONSTANT)
        return torch.from_numpy(warped).movedim(-1, 1)

    return Warp(output)


def _between_pixels(inputs: Inputs) -> Tensor:
    """The map from output to input, between pixel indices."""
    assert isinstance(inputs.family, stnkit.families.MatrixFamily)
    matrix = inputs.family.matrix(inputs.theta.double())
    height, width = inputs.image.shape[2:]
    normalizing = torch.tensor([[2 / width, 0, 1 / width - 1], [0, 2 / height, 1 / height - 1], [0, 0, 1]]).to(matrix)
    return torch.linalg.inv(normalizing) @ matrix @ normalizing
