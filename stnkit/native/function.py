"""The native warp as a differentiable function of an image and of coordinates: rows of matrices, or a grid."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stnkit import coordinates as convention
from stnkit.families.matrix import grid_of_rows
from stnkit.native import calls, operator
from stnkit.native.conditions import takes, takes_gradient
from stnkit.native.interpolation import Interpolation
from stnkit.native.memory import has_memory
from stnkit.native.switch import disabled


def warped(
    sampler: nn.Module, interpolation: Interpolation, image: Tensor, coordinates: Tensor, size: Sequence[int]
) -> Tensor:
    """The image at the coordinates, where `takes` is true for both.

    Args:
        sampler: computes the same by composite operations: from them follow the derivatives of a gradient.
        interpolation: that of the sampler.
        image: a batch of images.
        coordinates: rows of matrices (B, 2 or 3, 3), or a grid (B, H, W, 2).
        size: (H, W) of the output.
    """
    if torch.compiler.is_compiling():
        return operator.warped(interpolation, image, coordinates, size)
    if torch.is_grad_enabled() and (image.requires_grad or coordinates.requires_grad):
        if coordinates.ndim == 3 and not coordinates.requires_grad:
            # Rows may be a view of θ, which the composite does not save: it may be changed, or be of inference mode.
            coordinates = coordinates.clone()
        made: Tensor = _Warp.apply(image, coordinates, (sampler, interpolation, size))  # type: ignore[no-untyped-call]
        return made
    return calls.forward(image, coordinates, size, interpolation)


def warped_in_chunks(
    sampler: nn.Module,
    interpolation: Interpolation,
    image: Tensor,
    grid_of: Callable[[slice], Tensor],
    size: Sequence[int],
    images: int,
) -> Tensor:
    """The image at a grid that is made for a few images at a time.

    Args:
        sampler: reads a grid that the native warp does not take, or that needs a gradient.
        interpolation: that of the sampler.
        image: a batch of images that `takes` is true for, and of which no gradient is wanted.
        grid_of: the grid (b, H, W, 2) of a slice of the batch.
        size: (H, W) of the output.
        images: number of them that a chunk has.
    """
    shape = image.shape[0], image.shape[1], *size
    out = torch.empty(shape, dtype=image.dtype, memory_format=calls.memory_format(image))
    for first in range(0, shape[0], images):
        chunk = slice(first, first + images)
        part, read, grid = out[chunk], image[chunk], grid_of(chunk)
        if takes(read, grid, interpolation) and not grid.requires_grad:
            into = part if part.dtype is torch.float32 else None
            made = calls.forward(read, grid, size, interpolation, into)
        else:
            made = sampler(read, grid)
        if made is not part:
            part.copy_(made)
    return out


class _Warp(torch.autograd.Function):
    """The native warp. There is no rule for forward-mode AD or torch.func, so that torch refuses where it could not."""

    @staticmethod
    def forward(
        ctx: Any, image: Tensor, coordinates: Tensor, call: tuple[nn.Module, Interpolation, Sequence[int]]
    ) -> Tensor:
        if ctx.needs_input_grad[1]:
            ctx.save_for_backward(image, coordinates)
        else:  # the gradient to the image does not depend on it
            ctx.save_for_backward(None, coordinates)
        ctx.like, ctx.shape, ctx.call = calls.likeness(image), coordinates.shape, call
        return calls.forward(image, coordinates, call[2], call[1])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        image, coordinates = ctx.saved_tensors
        of_image, of_coordinates, _ = ctx.needs_input_grad
        sampler, interpolation, size = ctx.call
        if takes_gradient(gradient) and _is_as_saved(ctx, image, coordinates):
            made = calls.backward(gradient, image, coordinates, ctx.like, size, interpolation, of_image, of_coordinates)
            return made[0], made[1], None
        if image is None:
            shape, dtype, _ = ctx.like
            image = coordinates.new_zeros((), dtype=dtype).expand(shape).requires_grad_()
        again = torch.is_grad_enabled()
        with torch.enable_grad():
            # Views: of tensors that depend on each other, only the direct gradients are wanted.
            inputs = image.view_as(image), coordinates.view_as(coordinates)
            out = composite(sampler, *inputs, size)
            wanted = [tensor for tensor, wants in zip(inputs, (of_image, of_coordinates), strict=True) if wants]
            found = iter(torch.autograd.grad(out, wanted, gradient, create_graph=again))
        return next(found) if of_image else None, next(found) if of_coordinates else None, None


def _is_as_saved(ctx: Any, image: Tensor | None, coordinates: Tensor) -> bool:
    # The version of a tensor does not count a new `data`, nor a storage that is freed.
    return (
        coordinates.shape == ctx.shape
        and coordinates.dtype is torch.float32
        and has_memory(coordinates)
        and (image is None or (calls.likeness(image) == ctx.like and has_memory(image)))
    )


def composite(sampler: nn.Module, image: Tensor, coordinates: Tensor, size: Sequence[int]) -> Tensor:
    """The same by torch's operations, which can be differentiated again and by every transform.

    Args:
        sampler: of the warp.
        image: a batch of images.
        coordinates: rows of matrices, or a grid.
        size: (H, W) of the output.
    """
    with disabled(), convention.full_precision(coordinates):
        grid = coordinates if coordinates.ndim == 4 else grid_of_rows(coordinates, tuple(size))
        made: Tensor = sampler.forward(image, grid)
        return made
