"""The check of what a sampler gives, which its author writes."""

import torch
from torch import Tensor

from stnkit.errors import InputError
from stnkit.portable import is_scripted


def check_sampled(sampler: object, method: str, sampled: object, image: Tensor, grid: Tensor) -> None:
    """Raise an InputError unless a result is a tensor (B, C, *out_size), or a symbol of a tracer.

    Args:
        sampler: whose method it is.
        method: its name.
        sampled: what it gives.
        image: that it was given, (B, C, *in_size).
        grid: that it was given, (B, *out_size, ndim).

    Raises:
        InputError: for anything else, in one sentence with the class and the method.
    """
    if isinstance(sampled, Tensor):
        shape, size = sampled.shape, grid.shape[1:-1]
        # Sizes are tensors under torch.jit.trace; the others are told in eager mode.
        if len(shape) == len(size) + 2 and (
            is_scripted()
            or (
                shape[2:] == size
                and shape[1] == image.shape[1]
                # One image may serve all grids, or one grid all images.
                and (shape[0] == image.shape[0] or shape[0] == grid.shape[0])
            )
        ):
            return
    elif isinstance(sampled, torch.fx.Proxy):
        return
    expected = [len(image), image.shape[1], *grid.shape[1:-1]]
    got = list(sampled.shape) if isinstance(sampled, Tensor) else type(sampled).__name__
    raise InputError(f"{type(sampler).__name__}.{method}: expected a tensor of shape {expected}, got {got}")
