"""Autocast, asked for where a tensor is."""

import torch
from torch import Tensor


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
