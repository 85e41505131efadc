"""Checks of the image and the grid that a sampler is called with, and of their devices."""

import torch
from torch import Tensor

from stnkit import coordinates
from stnkit.errors import InputError


def check_device(name: str, tensor: Tensor, image: Tensor) -> None:
    """Raise an InputError unless a tensor is on the device of an image.

    Args:
        name: of the argument, for the message.
        tensor: that is read together with the image.
        image: a batch of images.

    Raises:
        InputError: when it is on another device.
    """
    # `is_cpu` first: making objects of the devices costs more than the rest.
    if not (tensor.is_cpu and image.is_cpu) and tensor.device != image.device:
        raise InputError(f"{name}: expected the device of the image, {image.device}, got {tensor.device}")


def check_image_and_grid(image: Tensor, grid: Tensor) -> None:
    """Raise an InputError of one sentence when an image and a grid do not belong together."""
    coordinates.check_is_tensor("grid", grid)
    coordinates.check_is_tensor("image", image)
    ndim = grid.shape[-1]
    if ndim not in (2, 3) or grid.ndim != ndim + 2:
        raise InputError(f"grid: expected shape (B, H, W, 2) or (B, D, H, W, 3), got {tuple(grid.shape)}")
    if image.ndim != ndim + 2:
        raise InputError(
            f"image: expected {ndim + 2} axes, (B, C, *size), for a grid of {ndim} coordinates, "
            f"got shape {tuple(image.shape)}"
        )
    if 0 in image.shape[2:]:
        raise InputError(f"image: expected at least one pixel on each axis, got shape {tuple(image.shape)}")
    if not grid.is_floating_point():
        raise InputError(f"grid: expected a floating-point tensor, got {grid.dtype}")
    if grid.dtype.itemsize < torch.float32.itemsize:
        raise InputError(f"grid: expected float32 or wider, in which pixels stay apart, got {grid.dtype}")
    check_device("grid", grid, image)
