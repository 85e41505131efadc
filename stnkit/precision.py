"""The precision in which coordinates are computed; `stnkit.coordinates` has the names."""

import contextlib

import torch
from jaxtyping import Float
from torch import Tensor


def coordinate_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which coordinates are computed for data of `dtype`: never narrower than float32.

    Args:
        dtype: of data, such as images.

    Example:
        >>> import torch, stnkit
        >>> stnkit.coordinates.coordinate_dtype(torch.float16), stnkit.coordinates.coordinate_dtype(torch.float64)
        (torch.float32, torch.float64)
    """
    return torch.promote_types(dtype, torch.float32)


def widened(tensor: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """A floating-point tensor in float32 or wider.

    Args:
        tensor: as it is where it is wide enough.

    Example:
        >>> import torch, stnkit
        >>> stnkit.coordinates.widened(torch.zeros(2, dtype=torch.bfloat16))
        tensor([0., 0.])
    """
    # Skip the no-op `.float()`: it costs as much as a small kernel.
    return tensor if tensor.dtype.itemsize >= torch.float32.itemsize else tensor.float()


def is_autocast(tensor: Tensor) -> bool:
    """True if operations on the tensor are autocast, here and now.

    Args:
        tensor: on any device; False on one that has no autocast, such as "meta".
    """
    # `is_cpu` first: making an object of the device costs more than the rest.
    if tensor.is_cpu:
        return torch.is_autocast_enabled("cpu")
    kind = tensor.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def full_precision(tensor: Tensor) -> contextlib.AbstractContextManager[object]:
    """A context with autocast off on the device of `tensor`.

    Where autocast is off already it is a null context, which leaves no trace in an exported graph.

    Args:
        tensor: of the computation.

    Example:
        >>> import torch, stnkit
        >>> a = torch.ones(2, 2)
        >>> with torch.autocast("cpu", dtype=torch.bfloat16):
        ...     with stnkit.coordinates.full_precision(a):
        ...         wide = a @ a
        ...     wide.dtype, (a @ a).dtype
        (torch.float32, torch.bfloat16)
    """
    return torch.autocast(tensor.device.type, enabled=False) if is_autocast(tensor) else contextlib.nullcontext()


def products_are_narrowed() -> bool:
    """True if a setting lets float32 products be rounded to TF32 or bfloat16: by ¼ pixel at 1024.

    Example:
        >>> import stnkit
        >>> stnkit.coordinates.products_are_narrowed()
        False
    """
    try:
        return torch.get_float32_matmul_precision() != "highest"
    except RuntimeError:
        return True  # the newer settings are per backend, and this query raises under them


# No operation, and it cannot be traced. torch.compiler.assume_constant_result sets this mark too, but imports all of
# torch._dynamo for it: two seconds of every process.
products_are_narrowed._dynamo_marked_constant = True  # type: ignore[attr-defined]
