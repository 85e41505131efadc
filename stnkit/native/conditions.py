"""The cases in which the native warp computes what the composite path computes: everything else is left to that."""

import sys

import torch
from torch import Tensor

from stnkit.families.tracing import is_plain_eager, is_transformed
from stnkit.native.interpolation import Interpolation
from stnkit.native.library import status
from stnkit.native.memory import has_memory
from stnkit.native.switch import enabled, enabled_in_trace

_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
# A subclass may have a meaning of its own.
_PLAIN = (Tensor, torch.nn.Parameter)
_LARGEST = torch.finfo(torch.float32).max


def takes(image: Tensor, coordinates: Tensor, interpolation: Interpolation) -> bool:
    """True if the native warp takes the image and these coordinates, here and now.

    Args:
        image: a batch of images; False for what is none.
        coordinates: a grid, the rows of matrices, or a θ from which such rows are made.
        interpolation: of the sampler.

    Raises:
        NativeError: when the library is required and cannot be had.
    """
    if torch.compiler.is_compiling():
        return _allowed_in_trace() and _fit(image, coordinates, interpolation)
    return (
        enabled()
        and is_plain_eager()
        and not torch.are_deterministic_algorithms_enabled()
        and type(image) in _PLAIN
        and type(coordinates) in _PLAIN
        and _fit(image, coordinates, interpolation)
        and has_memory(image)
        and has_memory(coordinates)
    )


def takes_rows(rows: Tensor, batch: int) -> bool:
    """True if rows made of a θ that `takes` has seen are taken too.

    Args:
        rows: of matrices, as a family returns them.
        batch: number of images.
    """
    return (
        rows.dtype is torch.float32
        and rows.is_cpu
        and rows.shape[0] == batch
        and (torch.compiler.is_compiling() or (type(rows) in _PLAIN and has_memory(rows)))
    )


def takes_gradient(gradient: Tensor) -> bool:
    """True if the native backward pass takes this gradient of its output, here and now.

    Args:
        gradient: of the output of the native warp.
    """
    # With gradients of the gradient recorded, as by `create_graph`, the composite path is recorded.
    return (
        not torch.is_grad_enabled()
        and enabled()
        and is_plain_eager()
        and type(gradient) is Tensor
        and has_memory(gradient)
    )


def _allowed_in_trace() -> bool:
    if not enabled_in_trace() or is_transformed() or torch.are_deterministic_algorithms_enabled():
        return False
    if not torch.compiler.is_exporting():
        return True
    # An exported program must load where stnkit is not installed, unless the native warp is asked for.
    return status().required and not ("torch.onnx" in sys.modules and torch.onnx.is_in_onnx_export())


def _fit(image: Tensor, coordinates: Tensor, interpolation: Interpolation) -> bool:
    shape = image.shape
    return (
        image.dtype in _DTYPES
        and coordinates.dtype is torch.float32
        and image.is_cpu
        and coordinates.is_cpu
        and len(shape) == 4
        and coordinates.ndim > 1
        and shape[0] == coordinates.shape[0]
        and shape[2] > 0
        and shape[3] > 0
        and (interpolation.padding != "fill" or _can_fill(interpolation.fill_value, shape[1]))
    )


def _can_fill(value: float | list[float], channels: int) -> bool:
    if isinstance(value, list | tuple):
        return len(value) == channels and all(_is_narrow(v) for v in value)
    return _is_narrow(value)


def _is_narrow(value: object) -> bool:
    # A tensor or a number of NumPy is the composite's, which computes with it.
    return isinstance(value, float | int) and abs(value) <= _LARGEST
