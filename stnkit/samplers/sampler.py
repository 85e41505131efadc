"""Sampler: reads an image at the points of a grid."""

import abc
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from stnkit.errors import InputError


class Sampler(nn.Module, abc.ABC):
    """V(p) = Σ U_i · k(p − i): the image read at the grid, differentiably in both.

    A subclass implements `forward`.

    Attributes:
        exact_gradient: whether the gradient to the grid is the derivative of what is read; False where there is none,
            or another in its place on purpose.
    """

    exact_gradient: ClassVar[bool] = True

    @abc.abstractmethod
    def forward(
        self, image: Float[Tensor, "B C *in_size"], grid: Float[Tensor, "B *out_size ndim"]
    ) -> Float[Tensor, "B C *out_size"]:
        """The image at the grid, in the image's dtype.

        Args:
            image: a batch of images or feature maps.
            grid: normalized source points, x first.
        """

    def valid(self, grid: Float[Tensor, "B *out_size ndim"]) -> Bool[Tensor, "B *out_size"]:
        """Where the grid lies on the image, edges included: elsewhere padding is read.

        Args:
            grid: normalized source points, x first.
        """
        return (grid.abs() <= 1).all(dim=-1)


def check_image_and_grid(image: Tensor, grid: Tensor) -> None:
    """Raise an InputError of one sentence when an image and a grid do not belong together."""
    ndim = grid.shape[-1]
    if ndim not in (2, 3) or grid.ndim != ndim + 2:
        raise InputError(f"a grid must have shape (B, H, W, 2) or (B, D, H, W, 3), but {tuple(grid.shape)} was given")
    if image.ndim != ndim + 2:
        raise InputError(
            f"a grid of {ndim} coordinates reads images of {ndim + 2} axes, (B, C, *size), "
            f"but one of shape {tuple(image.shape)} was given"
        )
    if image.shape[0] != grid.shape[0]:
        raise InputError(
            f"image and grid must have the same batch size, but it is {image.shape[0]} and {grid.shape[0]}"
        )
    if 0 in image.shape[2:]:
        raise InputError(f"an image needs at least one pixel on each axis, but its shape is {tuple(image.shape)}")
    if not (image.is_floating_point() and grid.is_floating_point()):
        raise InputError(f"image and grid must be of floating point, but they are {image.dtype} and {grid.dtype}")
    if grid.dtype.itemsize < torch.float32.itemsize:
        raise InputError(f"a grid must be float32 or wider, or pixels collapse onto each other, but it is {grid.dtype}")
