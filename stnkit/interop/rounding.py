"""The rounding of the numbers in which a map was stored."""

import torch
from jaxtyping import Float64, Shaped
from torch import Tensor


def spacing(stored: Shaped[Tensor, "*any"], dtype: torch.dtype | None = None) -> Float64[Tensor, "*any"]:
    """The distance from each number to the next larger one of its dtype: twice the rounding; 0 for whole numbers.

    Args:
        stored: the numbers, in the units in which they were stored.
        dtype: in which they were stored, if they have been converted since.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.rounding.spacing(torch.tensor([1.0, 1000.0]), torch.bfloat16).tolist()
        [0.0078125, 4.0]
    """
    dtype = stored.dtype if dtype is None else dtype
    values = stored.detach().double()
    if not dtype.is_floating_point:
        return torch.zeros_like(values)
    info = torch.finfo(dtype)
    # Numbers from 2ⁿ⁻¹ to 2ⁿ have the exponent n. Subnormal ones are as far apart as the smallest normal ones.
    exponent = values.nan_to_num(posinf=0.0, neginf=0.0).abs().clamp_min(info.smallest_normal).frexp().exponent
    return torch.ldexp(torch.full_like(values, info.eps / 2), exponent)


def computed(dtype: torch.dtype) -> float:
    """The unit of rounding of the computation behind numbers of `dtype`, which tools carry out in float32 at least.

    Args:
        dtype: of the numbers.

    Example:
        >>> import torch, stnkit
        >>> stnkit.interop.rounding.computed(torch.bfloat16) == torch.finfo(torch.float32).eps
        True
    """
    if not dtype.is_floating_point:
        return 0.0
    return min(torch.finfo(dtype).eps, torch.finfo(torch.float32).eps)
