"""Calls of the compiled library: memory is allocated here, and its addresses and strides are handed over.

The kernels read and write float32: half images are converted before, and results are rounded once to their dtype.
"""

import contextlib
import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stnkit.native.interpolation import Interpolation
from stnkit.native.library import kernels, status

# In place of the strides of a grid or an image that is not there.
_NO_GRID = (0, 0, 0)
_NO_IMAGE = (0, 0, 0, 0)
# The general kernels are faster on planes of fewer channels than these, copies from and to channels-last included.
_MANY = 8

# Shape, dtype and memory format of an image.
Likeness = tuple[Sequence[int], torch.dtype, torch.memory_format]


def _share_threads() -> None:
    """Let the kernels run on torch's own threads, by the address of its loop; without it they take one thread."""
    name = {"linux": "libtorch_cpu.so", "darwin": "libtorch_cpu.dylib", "win32": "torch_cpu.dll"}.get(sys.platform, "")
    with contextlib.suppress(OSError, AttributeError):  # a torch that is built or named otherwise
        loop = ctypes.CDLL(str(Path(torch.version.__file__).parent / "lib" / name)).torch_parallel_for
        kernels().use_threads(ctypes.cast(loop, ctypes.c_void_p).value)


def _use_one_thread() -> None:
    kernels().use_threads(0)


if status().used:
    _share_threads()
    if hasattr(os, "register_at_fork"):  # threads do not survive a fork: torch's own operations wait for them forever
        os.register_at_fork(after_in_child=_use_one_thread)


def threads() -> int:
    """Number of threads of a call: torch's."""
    return torch.get_num_threads()


def memory_format(image: Tensor) -> torch.memory_format:
    """That of the output: channels-last stays channels-last, as through a convolution; everything else is contiguous.

    Args:
        image: a batch of images.
    """
    if not image.is_contiguous() and image.is_contiguous(memory_format=torch.channels_last):
        return torch.channels_last
    return torch.contiguous_format


def likeness(image: Tensor) -> Likeness:
    """The shape, dtype and memory format of the gradient to an image.

    Args:
        image: a batch of images.
    """
    return image.shape, image.dtype, memory_format(image)


def forward(
    image: Tensor,
    coordinates: Tensor,
    size: Sequence[int],
    interpolation: Interpolation,
    into: Tensor | None = None,
) -> Tensor:
    """The image at rows of matrices or at a grid.

    Args:
        image: a batch of images.
        coordinates: rows (B, 2 or 3, 3), or a grid (B, H, W, 2).
        size: (H, W) of the output.
        interpolation: of the sampler.
        into: memory of the output, float32 and in the memory format of the image; by default it is made.
    """
    shape, (height, width) = image.shape, size
    form = memory_format(image)
    source, (points, *given) = _readable(image, _inside(form, shape[1], interpolation)), _coordinates(coordinates)
    out = _empty(source, (shape[0], shape[1], height, width), form) if into is None else into
    kernels().forward(
        *(out.data_ptr(), out.stride(), source.data_ptr(), shape, source.stride(), points.data_ptr(), *given),
        *(height, width, *_codes(interpolation)),
    )
    return out if out.dtype is image.dtype else out.to(image.dtype)


def backward(
    gradient: Tensor,
    image: Tensor | None,
    coordinates: Tensor,
    like: Likeness,
    size: Sequence[int],
    interpolation: Interpolation,
    wants_image: bool,
    wants_coordinates: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients to the image and to the coordinates, None where they are not wanted.

    Args:
        gradient: of the output.
        image: that of the forward pass; None if no gradient to the coordinates is wanted.
        coordinates: those of the forward pass.
        like: shape, dtype and memory format of the image.
        size: (H, W) of the output.
        interpolation: of the sampler.
        wants_image: True for the gradient to the image.
        wants_coordinates: True for the gradient to the coordinates.
    """
    (shape, dtype, form), (height, width) = like, size
    inside = _inside(form, shape[1], interpolation)
    given = _laid_out(gradient, form)
    source = _readable(image, inside) if image is not None and wants_coordinates else None
    of_image = _empty(given, shape, inside) if wants_image else None
    read = of_image if source is None else source
    points, rows, strides = _coordinates(coordinates)
    of_coordinates = None
    if wants_coordinates:
        of_coordinates = torch.empty_like(points)
        if not rows and of_coordinates.stride() != points.stride():  # an expanded grid
            points, rows, strides = _coordinates(planar(points))
            of_coordinates = torch.empty_like(points)
    kernels().backward(
        *(given.data_ptr(), given.stride()),
        # Without an image, the strides of its gradient choose the kernel.
        *(0 if source is None else source.data_ptr(), shape, _NO_IMAGE if read is None else read.stride()),
        *(points.data_ptr(), rows, strides, height, width, *_codes(interpolation)),
        *((0, _NO_IMAGE) if of_image is None else (of_image.data_ptr(), of_image.stride())),
        0 if of_coordinates is None else of_coordinates.data_ptr(),
    )
    if of_image is not None and (dtype is not of_image.dtype or form is not inside):
        of_image = of_image.to(dtype, memory_format=form)
    return of_image, of_coordinates


def _empty(like: Tensor, shape: Sequence[int], form: torch.memory_format) -> Tensor:
    if form is torch.contiguous_format:
        return like.new_empty(shape)  # the fastest of many forms
    return torch.empty(shape, dtype=like.dtype, memory_format=form)


def _codes(interpolation: Interpolation) -> tuple[Any, ...]:
    fill = interpolation.fill_value
    if isinstance(fill, list | tuple) and len(fill) == 1:
        fill = fill[0]
    return interpolation.taps, interpolation.a, interpolation.padding, fill, threads()


def _inside(form: torch.memory_format, channels: int, interpolation: Interpolation) -> torch.memory_format:
    """The memory format of the copy of an image, and of the gradient to it, that the kernels work on."""
    if channels < _MANY and (interpolation.taps == 4 or interpolation.padding == "circular"):
        return torch.contiguous_format
    return form


def _laid_out(image: Tensor, form: torch.memory_format) -> Tensor:
    """The image itself if it is float32 in this memory format, else a copy that is."""
    if image.dtype is torch.float32:
        return image.contiguous(memory_format=form)
    return image.to(torch.float32, memory_format=form)


def _readable(image: Tensor, form: torch.memory_format) -> Tensor:
    # Pixels of a plane in one piece, or channels-last: a copy of anything else costs less than reading it scattered.
    if image.dtype is torch.float32 and image.stride()[2:] == (image.shape[3], 1):
        return image
    return _laid_out(image, form)


def _coordinates(coordinates: Tensor) -> tuple[Tensor, int, tuple[int, ...]]:
    """Coordinates as the kernels read them, the number of rows of a matrix, and the strides of a grid."""
    if coordinates.ndim == 3:
        return coordinates.contiguous(), coordinates.shape[1], _NO_GRID
    _, height, width, _ = coordinates.shape
    batch, down, right, axis = coordinates.stride()
    if width <= 1:
        right = down
    elif height > 1 and down != width * right:
        return _coordinates(planar(coordinates))
    return coordinates, 0, (batch, right, axis)


def planar(grid: Tensor) -> Tensor:
    """A copy of a grid with one plane for each coordinate, which the kernels read fastest."""
    return grid.movedim(-1, 1).clone(memory_format=torch.contiguous_format).movedim(1, -1)
